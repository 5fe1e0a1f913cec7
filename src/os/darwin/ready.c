#include "os/ready.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/event.h>
#include <sys/param.h>
#include <unistd.h>

enum { AT_ONCE = 64, WAKE = 1 };

/* Two queues, so that a rest can wait for a wake alone. */
struct os_ready {
    int queue, wakes;
};

struct os_ready *os_ready_new(void)
{
    struct os_ready *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    struct kevent wake, sub;
    r->queue = kqueue();
    r->wakes = kqueue();
    EV_SET(&wake, WAKE, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, NULL);
    EV_SET(&sub, (uintptr_t)r->wakes, EVFILT_READ, EV_ADD, 0, 0, r);
    if (r->queue >= 0 && r->wakes >= 0 && kevent(r->wakes, &wake, 1, NULL, 0, NULL) == 0 &&
        kevent(r->queue, &sub, 1, NULL, 0, NULL) == 0)
        return r;
    return os_ready_free(r);
}

struct os_ready *os_ready_free(struct os_ready *r)
{
    if (!r)
        return NULL;
    int why = errno;
    if (r->queue >= 0)
        close(r->queue);
    if (r->wakes >= 0)
        close(r->wakes);
    free(r);
    errno = why;
    return NULL;
}

int os_ready_add(struct os_ready *r, int fd, enum os_ready_for dir, void *what)
{
    struct kevent ev;
    EV_SET(&ev, (uintptr_t)fd, dir == OS_READY_IN ? EVFILT_READ : EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0,
           what);
    return kevent(r->queue, &ev, 1, NULL, 0, NULL);
}

void os_ready_remove(struct os_ready *r, int fd)
{
    struct kevent ev[2];
    EV_SET(&ev[0], (uintptr_t)fd, EVFILT_READ, EV_DELETE, 0, 0, NULL);
    EV_SET(&ev[1], (uintptr_t)fd, EVFILT_WRITE, EV_DELETE, 0, 0, NULL);
    for (int i = 0; i < 2; i++)
        kevent(r->queue, &ev[i], 1, NULL, 0, NULL);
}

static void hear(struct os_ready *r)
{
    struct kevent ev;
    struct timespec none = { 0 };
    kevent(r->wakes, NULL, 0, &ev, 1, &none);
}

int os_ready_wait(struct os_ready *r, int timeout_ms, void **what, int most)
{
    struct kevent ev[AT_ONCE];
    struct timespec limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
    int n, found = 0;
    while ((n = kevent(r->queue, NULL, 0, ev, MIN(most, AT_ONCE), timeout_ms < 0 ? NULL : &limit)) < 0 &&
           errno == EINTR)
        ;
    for (int i = 0; i < n; i++)
        if (ev[i].udata == r)
            hear(r);
        else
            what[found++] = ev[i].udata;
    return found;
}

/* The wake stays for the next wait: it is level, the queue of wakes is only looked into. */
void os_ready_rest(struct os_ready *r, int us)
{
    struct kevent ev;
    struct timespec limit = { us / 1000000, us % 1000000 * 1000L };
    if (kevent(r->wakes, NULL, 0, &ev, 1, &limit) > 0)
        os_ready_wake(r);
}

void os_ready_wake(struct os_ready *r)
{
    struct kevent ev;
    EV_SET(&ev, WAKE, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
    kevent(r->wakes, &ev, 1, NULL, 0, NULL);
}
