#include "logs/pump.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/list.h"
#include "base/map.h"
#include "os/pump.h"

enum {
    REST_MS = 1,
    SMALL = 32 << 10,    /* a transfer below this lets the stream rest before the next */
    TURN_MOST = 4 << 20, /* bytes of one stream before the others have their turn */
    PIPE_LARGE = 1 << 20,
    STACK = 128 << 10,
};

/* A log file; streams that name the same path (merge_logs, out and error in one file) share it. */
struct sink {
    struct link link;
    char *path;
    int fd;
    int refs;
    bool plain; /* a regular file, written at `offset`; else a FIFO or device, written as it comes */
    int64_t offset;
    int64_t dropped; /* bytes */
    int error;       /* errno of the trouble we are in, or 0 */
};

struct stream {
    struct link resting; /* in pump.resting, or unlinked */
    uint64_t id;
    int fd;
    bool large; /* the pipe was grown */
    struct sink *sink;
    struct pump *pump;
    uv_poll_t poll;
};

enum order_type { ORDER_ADD, ORDER_REMOVE, ORDER_HURRY, ORDER_END };
struct order {
    struct link link;
    enum order_type type;
    uint64_t stream;
    int fd;
    char *path;
    enum pump_need need;
};
struct report {
    struct link link;
    struct pump_news news;
};

struct pump {
    /* shared, under lock */
    uv_mutex_t lock;
    struct link orders, reports;
    uv_async_t wake_pump, wake_owner;

    /* the owner's */
    uv_thread_t thread;
    pump_told *told;
    void *arg;

    /* the thread's */
    uv_loop_t loop;
    uv_timer_t rest;
    struct link resting, sinks;
    struct map streams;
};

static void report(struct pump *p, struct pump_news news)
{
    struct report *r = xnew(struct report);
    r->news = news;
    uv_mutex_lock(&p->lock);
    list_append(&p->reports, &r->link);
    uv_mutex_unlock(&p->lock);
    uv_async_send(&p->wake_owner);
}

/* Sinks. */

/* The end of the file as it is now: somebody may have truncated it (copytruncate) or appended to it. */
static void sink_find_end(struct sink *s)
{
    struct stat st;
    if (s->plain && fstat(s->fd, &st) == 0 && st.st_size != s->offset)
        s->offset = st.st_size;
}

static bool sink_open(struct sink *s)
{
    struct stat st;
    /* O_RDWR: a FIFO without a reader would block or fail otherwise. No O_APPEND: splice refuses it. */
    s->fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
    if (s->fd < 0 && errno == ENOENT) { /* the folder went away */
        own_text dir = path_dir(s->path);
        struct err e;
        if (path_make_dirs(dir, 0700, &e) == 0)
            s->fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
    }
    if (s->fd < 0)
        return false;
    s->plain = fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode);
    s->offset = s->plain ? st.st_size : -1;
    return true;
}

/* The file was deleted by somebody: what we write would be seen by nobody. */
static void sink_follow_path(struct sink *s)
{
    struct stat st;
    if (!s->plain || fstat(s->fd, &st) < 0 || st.st_nlink > 0)
        return;
    close(s->fd);
    if (!sink_open(s))
        s->error = errno;
}

static struct sink *sink_get(struct pump *p, const char *path, enum pump_need need)
{
    list_each (l, &p->sinks) {
        struct sink *s = container_of(l, struct sink, link);
        if (strcmp(s->path, path) == 0) {
            s->refs++;
            return s;
        }
    }
    struct sink *s = xnew(struct sink);
    s->path = xstrdup(path);
    s->refs = 1;
    list_init(&s->link);
    if (!sink_open(s) && need == PUMP_OR_FAIL) {
        int why = errno;
        free(s->path);
        free(s);
        errno = why;
        return NULL;
    }
    list_append(&p->sinks, &s->link);
    return s;
}

static void sink_put(struct sink *s)
{
    if (--s->refs > 0)
        return;
    list_remove(&s->link);
    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    free(s);
}

/* Transfers. */

/* The file cannot be written: take the bytes and forget them, so that the app goes on. */
static ssize_t drop(struct stream *st, int why)
{
    struct sink *s = st->sink;
    if (!s->error) {
        s->error = why;
        report(st->pump, (struct pump_news){ PUMP_TROUBLE, st->id, why, s->dropped });
    }
    ssize_t n = os_pump_drop(st->fd, SMALL);
    if (n > 0)
        s->dropped += n;
    return n;
}

static ssize_t move_once(struct stream *st)
{
    struct sink *s = st->sink;
    bool file_failed = s->fd < 0;
    if (file_failed && !sink_open(s))
        return drop(st, errno);
    ssize_t n = os_pump(st->fd, s->fd, &s->offset, PIPE_LARGE, &file_failed);
    if (n < 0 && file_failed)
        return drop(st, errno);
    if (n > 0 && s->error) {
        s->error = 0;
        report(st->pump, (struct pump_news){ PUMP_BETTER, st->id, 0, s->dropped });
    }
    return n;
}

/* Moves what there is, up to a fair share. Returns bytes moved. */
static size_t transfer(struct stream *st)
{
    size_t total = 0;
    sink_follow_path(st->sink);
    sink_find_end(st->sink);
    while (total < TURN_MOST) {
        ssize_t n = move_once(st);
        if (n <= 0)
            break;
        total += (size_t)n;
        if (n < SMALL)
            break; /* empty by now, or nearly: let it gather */
        if (!st->large && n >= os_pump_size(st->fd)) {
            st->large = true;
            os_pump_grow(st->fd, PIPE_LARGE);
        }
    }
    return total;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void await(struct stream *st)
{
    uv_poll_start(&st->poll, UV_READABLE, on_readable);
}

static void on_rested(uv_timer_t *t)
{
    struct pump *p = container_of(t, struct pump, rest);
    struct link now;
    list_init(&now);
    while (!list_empty(&p->resting)) {
        struct link *l = p->resting.next;
        list_remove(l);
        list_append(&now, l);
    }
    while (!list_empty(&now)) {
        struct stream *st = container_of(now.next, struct stream, resting);
        list_remove(&st->resting);
        transfer(st);
        await(st);
    }
}

static void rest(struct stream *st)
{
    struct pump *p = st->pump;
    uv_poll_stop(&st->poll);
    if (list_empty(&p->resting)) {
        uv_update_time(&p->loop);
        uv_timer_start(&p->rest, on_rested, REST_MS, 0);
    }
    list_append(&p->resting, &st->resting);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct stream *st = container_of(poll, struct stream, poll);
    int waiting = 0;
    if (status < 0)
        return;
    if (os_pump_waiting(st->fd, &waiting) && waiting >= SMALL)
        transfer(st);
    else
        rest(st);
}

/* Orders. */

static void stream_closed(uv_handle_t *h)
{
    free(container_of((uv_poll_t *)h, struct stream, poll));
}

static void add(struct pump *p, const struct order *o)
{
    struct sink *s = sink_get(p, o->path, o->need);
    if (!s) {
        report(p, (struct pump_news){ PUMP_FAILED, o->stream, errno, 0 });
        return;
    }
    struct stream *st = xnew(struct stream);
    *st = (struct stream){ .id = o->stream, .fd = o->fd, .sink = s, .pump = p };
    list_init(&st->resting);
    int r = uv_poll_init(&p->loop, &st->poll, st->fd);
    if (r < 0) {
        sink_put(s);
        free(st);
        report(p, (struct pump_news){ PUMP_FAILED, o->stream, -r, 0 });
        return;
    }
    assert(!map_get(&p->streams, o->stream));
    map_put(&p->streams, o->stream, st);
    await(st);
    report(p, (struct pump_news){ PUMP_OPENED, o->stream, 0, 0 });
}

static void forget(struct pump *p, struct stream *st)
{
    map_remove(&p->streams, st->id);
    list_remove(&st->resting);
    sink_put(st->sink);
    uv_poll_stop(&st->poll); /* takes the descriptor out of epoll now: the owner may close it */
    uv_close((uv_handle_t *)&st->poll, stream_closed);
}

static void remove_stream(struct pump *p, uint64_t id)
{
    struct stream *st = map_get(&p->streams, id);
    if (st) {
        while (transfer(st) > 0) {
        }
        forget(p, st);
    }
    report(p, (struct pump_news){ PUMP_REMOVED, id, 0, 0 });
}

static void hurry(struct pump *p, uint64_t id)
{
    struct stream *st = map_get(&p->streams, id);
    if (st)
        transfer(st);
}

static void end(struct pump *p)
{
    for (size_t i = 0; i < p->streams.cap; i++)
        while (p->streams.slots[i].key)
            forget(p, p->streams.slots[i].value);
    uv_close((uv_handle_t *)&p->rest, NULL);
    uv_close((uv_handle_t *)&p->wake_pump, NULL);
}

static void on_orders(uv_async_t *a)
{
    struct pump *p = container_of(a, struct pump, wake_pump);
    for (;;) {
        uv_mutex_lock(&p->lock);
        struct link *l = list_empty(&p->orders) ? NULL : p->orders.next;
        if (l)
            list_remove(l);
        uv_mutex_unlock(&p->lock);
        if (!l)
            return;
        struct order *o = container_of(l, struct order, link);
        if (o->type == ORDER_ADD)
            add(p, o);
        else if (o->type == ORDER_REMOVE)
            remove_stream(p, o->stream);
        else if (o->type == ORDER_HURRY)
            hurry(p, o->stream);
        else
            end(p);
        free(o->path);
        free(o);
    }
}

static void run(void *arg)
{
    struct pump *p = arg;
    uv_run(&p->loop, UV_RUN_DEFAULT);
}

/* The owner's half. */

static void on_reports(uv_async_t *a)
{
    struct pump *p = container_of(a, struct pump, wake_owner);
    for (;;) {
        uv_mutex_lock(&p->lock);
        struct link *l = list_empty(&p->reports) ? NULL : p->reports.next;
        if (l)
            list_remove(l);
        uv_mutex_unlock(&p->lock);
        if (!l)
            return;
        struct report *r = container_of(l, struct report, link);
        p->told(p->arg, &r->news);
        free(r);
    }
}

static void send_order(struct pump *p, struct order order)
{
    struct order *o = xnew(struct order);
    *o = order;
    uv_mutex_lock(&p->lock);
    list_append(&p->orders, &o->link);
    uv_mutex_unlock(&p->lock);
    uv_async_send(&p->wake_pump);
}

void pump_add(struct pump *p, uint64_t stream, int fd, const char *path, enum pump_need need)
{
    send_order(p, (struct order){
                      .type = ORDER_ADD, .stream = stream, .fd = fd, .path = xstrdup(path), .need = need });
}

void pump_remove(struct pump *p, uint64_t stream)
{
    send_order(p, (struct order){ .type = ORDER_REMOVE, .stream = stream });
}

void pump_hurry(struct pump *p, uint64_t stream)
{
    send_order(p, (struct order){ .type = ORDER_HURRY, .stream = stream });
}

struct pump *pump_new(uv_loop_t *loop, pump_told *told, void *arg)
{
    struct pump *p = xnew(struct pump);
    p->told = told;
    p->arg = arg;
    list_init(&p->orders);
    list_init(&p->reports);
    list_init(&p->resting);
    list_init(&p->sinks);
    uv_mutex_init(&p->lock);
    uv_loop_init(&p->loop);
    uv_async_init(loop, &p->wake_owner, on_reports);
    uv_async_init(&p->loop, &p->wake_pump, on_orders);
    uv_timer_init(&p->loop, &p->rest);
    uv_thread_options_t options = { .flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK };
    int r = uv_thread_create_ex(&p->thread, &options, run, p);
    assert(r == 0);
    (void)r;
    return p;
}

static void owner_closed(uv_handle_t *h)
{
    struct pump *p = container_of((uv_async_t *)h, struct pump, wake_owner);
    list_each_safe (l, &p->reports)
        free(container_of(l, struct report, link));
    uv_mutex_destroy(&p->lock);
    map_done(&p->streams);
    free(p);
}

struct pump *pump_free(struct pump *p)
{
    if (!p)
        return NULL;
    send_order(p, (struct order){ .type = ORDER_END });
    uv_thread_join(&p->thread);
    uv_loop_close(&p->loop);
    uv_close((uv_handle_t *)&p->wake_owner, owner_closed);
    return NULL;
}
