#include "os/ready.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/param.h>
#include <unistd.h>

enum { AT_ONCE = 64 };

struct os_ready {
    int epoll, event;
    atomic_bool woken; /* the event was written and is not read yet */
};

struct os_ready *os_ready_new(void)
{
    struct os_ready *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = r };
    if (r->epoll >= 0 && r->event >= 0 && epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->event, &ev) == 0)
        return r;
    return os_ready_free(r);
}

struct os_ready *os_ready_free(struct os_ready *r)
{
    if (!r)
        return NULL;
    int why = errno;
    if (r->epoll >= 0)
        close(r->epoll);
    if (r->event >= 0)
        close(r->event);
    free(r);
    errno = why;
    return NULL;
}

int os_ready_add(struct os_ready *r, int fd, enum os_ready_for dir, void *what)
{
    struct epoll_event ev = { .events = (dir == OS_READY_IN ? EPOLLIN : EPOLLOUT) | EPOLLET,
                              .data.ptr = what };
    return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev);
}

void os_ready_remove(struct os_ready *r, int fd)
{
    epoll_ctl(r->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void hear(struct os_ready *r)
{
    eventfd_t count;
    if (eventfd_read(r->event, &count) < 0)
        return;
    atomic_store(&r->woken, false); /* after the read, before the caller looks at what he was woken for */
}

int os_ready_wait(struct os_ready *r, int timeout_ms, void **what, int most)
{
    struct epoll_event ev[AT_ONCE];
    int n, found = 0;
    while ((n = epoll_wait(r->epoll, ev, MIN(most, AT_ONCE), timeout_ms)) < 0 && errno == EINTR)
        ;
    for (int i = 0; i < n; i++)
        if (ev[i].data.ptr == r)
            hear(r);
        else
            what[found++] = ev[i].data.ptr;
    return found;
}

void os_ready_rest(struct os_ready *r, int us)
{
    struct pollfd p = { .fd = r->event, .events = POLLIN };
    struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L };
    ppoll(&p, 1, &t, NULL);
}

void os_ready_wake(struct os_ready *r)
{
    if (!atomic_exchange(&r->woken, true))
        eventfd_write(r->event, 1);
}
