#include "base/scribe.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"

enum { ROOM = 128 << 10, STACK = 128 << 10, REST_MS = 1 };

static struct {
    uv_mutex_t lock;
    uv_cond_t said, written;
    size_t done, n; /* lines[done..n] wait; both are 0 when none does */
    unsigned lost;  /* lines */
    bool leave;
    char *lines; /* NULL: nothing was said yet */

    /* the owner's */
    bool running;
    uv_thread_t thread;
} scribe;

/* The room costs no memory until it is used. */
static void init(void)
{
    scribe.lines = xmalloc(ROOM);
    uv_mutex_init(&scribe.lock);
    uv_cond_init(&scribe.said);
    uv_cond_init(&scribe.written);
}

/* It rests before it writes, so that of many lines (100 apps crash) not each wakes it. */
static void run(void *arg)
{
    uv_mutex_lock(&scribe.lock);
    while (scribe.n || !scribe.leave) {
        size_t from = scribe.done, to = scribe.n;
        if (to == 0) {
            uv_cond_wait(&scribe.said, &scribe.lock);
            uv_mutex_unlock(&scribe.lock);
            uv_sleep(REST_MS);
            uv_mutex_lock(&scribe.lock);
            continue;
        }
        uv_mutex_unlock(&scribe.lock);
        log_write(scribe.lines + from, to - from);
        uv_mutex_lock(&scribe.lock);
        scribe.done = to;
        if (to < scribe.n)
            continue;
        scribe.done = scribe.n = 0;
        uv_cond_signal(&scribe.written);
    }
    uv_mutex_unlock(&scribe.lock);
}

/* Signals are the main loop's. */
static bool start(void)
{
    uv_thread_options_t options = { .flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK };
    sigset_t all, was;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    int r = uv_thread_create_ex(&scribe.thread, &options, run, NULL);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return r == 0;
}

/* How many lines were lost, once all that waited is written. */
static unsigned take_lost(void)
{
    uv_mutex_lock(&scribe.lock);
    unsigned lost = scribe.n == 0 ? scribe.lost : 0;
    scribe.lost -= lost;
    uv_mutex_unlock(&scribe.lock);
    return lost;
}

void scribe_take(const char *line, size_t len)
{
    if (!scribe.lines)
        init();
    unsigned lost = take_lost();
    if (lost)
        log_warn("%u lines of this log were lost: it could not be written", lost);
    if (!scribe.running && !(scribe.running = start())) {
        log_write(line, len);
        return;
    }
    uv_mutex_lock(&scribe.lock);
    if (len <= ROOM - scribe.n) {
        memcpy(scribe.lines + scribe.n, line, len);
        scribe.n += len;
    } else {
        scribe.lost++;
    }
    uv_cond_signal(&scribe.said);
    uv_mutex_unlock(&scribe.lock);
}

void scribe_end(int most_ms)
{
    uint64_t until = uv_hrtime() + (uint64_t)most_ms * 1000000, now;
    if (!scribe.running) {
        log_divert(log_write);
        return;
    }
    uv_mutex_lock(&scribe.lock);
    while (scribe.n && (now = uv_hrtime()) < until)
        uv_cond_timedwait(&scribe.written, &scribe.lock, until - now);
    bool hangs = scribe.n > 0;
    scribe.leave = !hangs;
    uv_cond_signal(&scribe.said);
    uv_mutex_unlock(&scribe.lock);
    if (hangs)
        return;
    uv_thread_join(&scribe.thread);
    scribe.running = scribe.leave = false;
    log_divert(log_write);
}
