#include "logs/pump.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "logs/janitor.h"
#include "logs/names.h"
#include "logs/stream.h"
#include "os/ready.h"

enum {
    REST_MS = 1,
    RESTED_US = 800, /* a stream that has been due for so long has had its rest, beside busier ones */
    TELL_MS = 1000,  /* how often it is told that more was dropped */
    STUCK_MS = 1000,
    LEAVE_MS = 1000, /* what the thread has to end */
    AT_ONCE = 64,
    STACK = 128 << 10,
};

enum order_type {
    ORDER_ADD,
    ORDER_CHANGE,
    ORDER_REMOVE,
    ORDER_HURRY,
    ORDER_FLUSH,
    ORDER_REOPEN,
    ORDER_TRANSIT,
    ORDER_BEGIN,
    ORDER_END
};
struct order {
    struct link link;
    enum order_type type;
    uint64_t stream; /* or ticket */
    int fd;
    int transit[TRANSIT_FDS];
    char *path;
    struct rotate_rules rotate;
    struct lines *lines;
    enum pump_need need;
};
struct report {
    struct link link;
    struct pump_news news;
};

struct pump {
    /* shared, under lock */
    uv_mutex_t lock;
    uv_cond_t left;
    struct link orders, reports;
    bool ended;
    uv_async_t wake_owner;
    struct os_ready *ready;

    /* the owner's */
    uv_thread_t thread;
    pump_told *told;
    void *arg;

    /* the thread's */
    bool begun, ending;
    struct flow flow;
    struct janitor *janitor;
    struct transit_left recover;
    struct link due, sinks;
    struct map streams, by_path;
    int64_t tell_at, look_at; /* mono ms; 0: never */
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

static int64_t clock_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t read_clocks(struct pump *p)
{
    int64_t mono = clock_us(CLOCK_MONOTONIC);
    p->flow.env.now_us = clock_us(CLOCK_REALTIME);
    p->flow.env.now_ms = mono / 1000;
    return mono;
}

/* Sinks. */

static uint64_t path_key(const char *path)
{
    uint64_t h = 14695981039346656037u;
    for (; *path; path++)
        h = (h ^ (unsigned char)*path) * 1099511628211u;
    return h | 1;
}

static struct sink *sink_find(const struct pump *p, const char *path)
{
    struct sink *first = map_get(&p->by_path, path_key(path));
    if (!first || strcmp(first->path, path) == 0)
        return first;
    list_each (l, &p->sinks) { /* two paths with one key */
        struct sink *s = container_of(l, struct sink, link);
        if (strcmp(s->path, path) == 0)
            return s;
    }
    return NULL;
}

/* Tells about a sink are told of one of its streams: NULL when it has none. */
static struct stream *stream_of(const struct pump *p, const struct sink *s)
{
    for (size_t i = 0; i < p->streams.cap; i++) {
        struct stream *st = p->streams.slots[i].key ? p->streams.slots[i].value : NULL;
        if (st && st->sink == s)
            return st;
    }
    return NULL;
}

/* A FIFO tells when it has room again; a sink's address is told apart from a stream's by its last bit. */
static void await_room(struct pump *p, struct sink *s)
{
    if (s->fd >= 0 && !s->plain)
        os_ready_add(p->ready, s->fd, OS_READY_OUT, (char *)s + 1);
}

static struct sink *sink_get(struct pump *p, const char *path, const struct rotate_rules *rules,
                             enum pump_need need)
{
    struct sink *s = sink_find(p, path);
    if (s) {
        s->refs++;
        sink_set_rules(s, rules);
        return s;
    }
    s = sink_new(path, rules);
    if (!sink_open(s)) {
        sink_failed(&p->flow.env, s, errno);
        if (need == PUMP_OR_FAIL) {
            int why = errno;
            sink_free(&p->flow.env, s);
            errno = why;
            return NULL;
        }
    }
    list_append(&p->sinks, &s->link);
    if (!map_get(&p->by_path, path_key(path)))
        map_put(&p->by_path, path_key(path), s);
    await_room(p, s);
    return s;
}

static void sink_put(struct pump *p, struct sink *s)
{
    if (--s->refs > 0)
        return;
    if (s->fd >= 0 && !s->plain)
        os_ready_remove(p->ready, s->fd);
    if (map_get(&p->by_path, path_key(s->path)) == s)
        map_remove(&p->by_path, path_key(s->path));
    sink_free(&p->flow.env, s);
}

/* One that is too large from before is rotated now, and so is one whose rotation was interrupted. */
static void sink_settle(struct pump *p, struct sink *s)
{
    bool at_line;
    if (s->fd >= 0)
        sink_room(&p->flow.env, s, &at_line);
    if (s->rules.compress && s->plain)
        janitor_compress(p->janitor, s->path, s->rules.keep);
}

/* What sinks and streams tell. */

static void on_note(void *arg, struct sink *s, enum sink_note note, int error)
{
    struct pump *p = arg;
    const struct stream *st = stream_of(p, s);
    if (st)
        report(p, (struct pump_news){ .type = PUMP_NOTE, .note = note, .stream = st->id, .error = error });
}

static void on_rotated(void *arg, struct sink *s)
{
    struct pump *p = arg;
    if (s->rules.compress)
        janitor_compress(p->janitor, s->path, s->rules.keep);
}

static void on_trash(void *arg, int take_fd)
{
    struct pump *p = arg;
    janitor_close(p->janitor, take_fd);
}

static void on_trouble(void *arg, struct stream *st, int error)
{
    report(arg, (struct pump_news){
                    .type = PUMP_TROUBLE, .stream = st->id, .error = error, .bytes = st->dropped });
}

static void on_dropped(void *arg, struct stream *st)
{
    struct pump *p = arg;
    st->untold = true;
    if (!p->tell_at)
        p->tell_at = p->flow.env.now_ms + TELL_MS;
}

static void on_better(void *arg, struct stream *st)
{
    report(arg, (struct pump_news){ .type = PUMP_BETTER, .stream = st->id, .bytes = st->dropped });
}

static void tell_dropped(struct pump *p)
{
    p->tell_at = 0;
    for (size_t i = 0; i < p->streams.cap; i++) {
        struct stream *st = p->streams.slots[i].key ? p->streams.slots[i].value : NULL;
        if (!st || !st->untold)
            continue;
        st->untold = false;
        report(p,
               (struct pump_news){
                   .type = PUMP_DROPPED, .stream = st->id, .error = st->sink->error, .bytes = st->dropped });
    }
}

/* An archive was compressed. It may have moved on meanwhile, or be gone. */
static void place_compressed(struct pump *p, const struct janitor_done *done)
{
    struct sink *s = sink_find(p, done->path);
    own_text part = names_part(done->path);
    int number = s ? rotate_find(done->path, s->rules.keep, done->was) : 0;
    own_text plain = names_archive(done->path, number, false);
    own_text gz = names_archive(done->path, number, true);
    own_text was = names_index(done->path, done->was);
    own_text is = names_index(done->path, done->is);
    if (number && rename(was, is) < 0 && errno != ENOENT)
        number = 0;
    if (number && rename(part, gz) == 0)
        unlink(plain);
    else
        unlink(part);
    if (s && s->rules.compress)
        janitor_compress(p->janitor, s->path, s->rules.keep); /* until there is none left */
}

static void take_compressed(struct pump *p)
{
    struct janitor_done done;
    while (janitor_next(p->janitor, &done)) {
        if (!done.failed)
            place_compressed(p, &done);
        free(done.path);
    }
}

/* Moving. */

static void make_due(struct pump *p, struct stream *st)
{
    if (!list_linked(&st->due))
        list_append(&p->due, &st->due);
}

static void make_waiting_due(struct pump *p, struct sink *s)
{
    while (!list_empty(&s->waiting)) {
        struct stream *st = container_of(s->waiting.next, struct stream, waiting);
        list_remove(&st->waiting);
        make_due(p, st);
    }
}

static void on_room(struct pump *p, struct sink *s)
{
    s->retry_at = 0;
    make_waiting_due(p, s);
}

/* Those whose FIFO nobody reads have waited long enough: they drop. */
static void look_at_waiting(struct pump *p)
{
    p->look_at = 0;
    list_each (l, &p->sinks)
        make_waiting_due(p, container_of(l, struct sink, link));
}

static void move(struct pump *p, struct stream *st)
{
    size_t n = stream_move(&p->flow, st);
    if (n >= STREAM_TURN)
        return; /* there may be more: its turn comes again */
    st->hurried = false;
    list_remove(&st->due);
    if (list_linked(&st->waiting) && !p->look_at)
        p->look_at = p->flow.env.now_ms + STUCK_MS;
}

static bool is_quick(const struct stream *st)
{
    return st->busy || st->hurried;
}

static void move_due(struct pump *p)
{
    bool any_quick = false;
    list_each (l, &p->due)
        any_quick |= is_quick(container_of(l, struct stream, due));
    if (!any_quick)
        os_ready_rest(p->ready, REST_MS);
    int64_t now = read_clocks(p);
    list_each_safe (l, &p->due) {
        struct stream *st = container_of(l, struct stream, due);
        if (!any_quick || is_quick(st) || now - st->since >= RESTED_US)
            move(p, st);
    }
}

/* Orders. */

static void add(struct pump *p, struct order *o)
{
    struct sink *s = sink_get(p, o->path, &o->rotate, o->need);
    if (!s) {
        report(p, (struct pump_news){ .type = PUMP_FAILED, .stream = o->stream, .error = errno });
        return;
    }
    struct stream *st = xnew(struct stream);
    *st = (struct stream){ .id = o->stream, .fd = o->fd, .sink = s, .lines = steal(o->lines) };
    assert(!map_get(&p->streams, o->stream));
    map_put(&p->streams, o->stream, st);
    if (p->recover.phase && p->recover.stream == st->id) {
        stream_recover(&p->flow, st, &p->recover);
        p->recover.phase = TRANSIT_NONE;
    }
    stream_begin(st);
    if (p->begun)
        sink_settle(p, s);
    os_ready_add(p->ready, st->fd, OS_READY_IN, st);
    report(p, (struct pump_news){ .type = PUMP_OPENED, .stream = st->id });
}

static void begin(struct pump *p)
{
    p->begun = true;
    if (p->flow.transit && p->recover.phase)
        transit_clear(p->flow.transit); /* of a stream that is no more */
    p->recover.phase = TRANSIT_NONE;
    list_each (l, &p->sinks)
        sink_settle(p, container_of(l, struct sink, link));
}

static void use_transit(struct pump *p, const struct order *o)
{
    p->flow.transit = transit_new(o->transit);
    if (!p->flow.transit)
        return;
    p->recover = transit_look(p->flow.transit);
    if (!p->recover.phase)
        transit_clear(p->flow.transit);
}

static void drain(struct pump *p, struct stream *st)
{
    read_clocks(p);
    st->hurried = true;
    while (stream_move(&p->flow, st) > 0) {
    }
    list_remove(&st->waiting);
}

static void forget(struct pump *p, struct stream *st)
{
    os_ready_remove(p->ready, st->fd);
    map_remove(&p->streams, st->id);
    list_remove(&st->due);
    list_remove(&st->waiting);
    sink_put(p, st->sink);
    lines_free(st->lines);
    free(st);
}

static void change(struct pump *p, struct order *o)
{
    struct stream *st = map_get(&p->streams, o->stream);
    if (!st)
        return;
    drain(p, st);
    struct sink *old = st->sink;
    st->sink = sink_get(p, o->path, &o->rotate, PUMP_OR_DROP);
    sink_put(p, old);
    lines_free(st->lines);
    st->lines = steal(o->lines);
    stream_begin(st);
    sink_settle(p, st->sink);
}

static void remove_stream(struct pump *p, uint64_t id)
{
    struct stream *st = map_get(&p->streams, id);
    if (st) {
        drain(p, st);
        forget(p, st);
    }
    report(p, (struct pump_news){ .type = PUMP_REMOVED, .stream = id });
}

static void hurry(struct pump *p, uint64_t id)
{
    struct stream *st = map_get(&p->streams, id);
    if (!st)
        return;
    st->hurried = true;
    make_due(p, st);
}

/* A file that no stream has: an app that was never started. */
static int64_t flush_unused(struct pump *p, const struct order *o)
{
    struct stat st;
    struct sink *s = sink_new(o->path, &o->rotate);
    bool there = lstat(o->path, &st) == 0 && S_ISREG(st.st_mode) && sink_open(s);
    int64_t freed = there ? sink_flush(&p->flow.env, s) : 0;
    sink_free(&p->flow.env, s);
    return freed;
}

static void flush(struct pump *p, const struct order *o)
{
    struct sink *s = sink_find(p, o->path);
    int64_t freed = s ? sink_flush(&p->flow.env, s) : flush_unused(p, o);
    report(p, (struct pump_news){ .type = PUMP_DONE, .stream = o->stream, .bytes = freed });
}

static void reopen(struct pump *p, const struct order *o)
{
    struct sink *s = sink_find(p, o->path);
    int error = 0;
    if (s && s->fd >= 0 && !s->plain)
        os_ready_remove(p->ready, s->fd);
    if (s && !sink_reopen(&p->flow.env, s))
        error = errno;
    if (s) {
        s->retry_at = 0;
        await_room(p, s);
        make_waiting_due(p, s);
    }
    report(p, (struct pump_news){ .type = PUMP_DONE, .stream = o->stream, .error = error });
}

static void obey(struct pump *p, struct order *o)
{
    switch (o->type) {
    case ORDER_ADD:
        add(p, o);
        break;
    case ORDER_CHANGE:
        change(p, o);
        break;
    case ORDER_REMOVE:
        remove_stream(p, o->stream);
        break;
    case ORDER_HURRY:
        hurry(p, o->stream);
        break;
    case ORDER_FLUSH:
        flush(p, o);
        break;
    case ORDER_REOPEN:
        reopen(p, o);
        break;
    case ORDER_TRANSIT:
        use_transit(p, o);
        break;
    case ORDER_BEGIN:
        begin(p);
        break;
    case ORDER_END:
        p->ending = true;
        break;
    }
}

static void order_free(struct order *o)
{
    lines_free(o->lines);
    free(o->path);
    free(o);
}

static void take_orders(struct pump *p)
{
    for (;;) {
        uv_mutex_lock(&p->lock);
        struct link *l = list_empty(&p->orders) ? NULL : p->orders.next;
        if (l)
            list_remove(l);
        uv_mutex_unlock(&p->lock);
        if (!l)
            return;
        struct order *o = container_of(l, struct order, link);
        obey(p, o);
        order_free(o);
    }
}

/* The loop. */

static int time_left(const struct pump *p)
{
    int64_t at = p->tell_at && (!p->look_at || p->tell_at < p->look_at) ? p->tell_at : p->look_at;
    if (p->begun && !list_empty(&p->due))
        return 0;
    return at ? (int)MAX(at - p->flow.env.now_ms, (int64_t)0) : -1;
}

static void collect(struct pump *p)
{
    void *what[AT_ONCE];
    int n = os_ready_wait(p->ready, time_left(p), what, AT_ONCE);
    int64_t now = read_clocks(p);
    for (int i = 0; i < n; i++) {
        if ((uintptr_t)what[i] & 1) {
            on_room(p, (struct sink *)(void *)((char *)what[i] - 1));
            continue;
        }
        struct stream *st = what[i];
        if (!list_linked(&st->due))
            st->since = now;
        make_due(p, st);
    }
}

static void run(void *arg)
{
    struct pump *p = arg;
    while (!p->ending) {
        collect(p);
        take_orders(p);
        take_compressed(p);
        if (p->begun && !list_empty(&p->due))
            move_due(p);
        if (p->tell_at && p->flow.env.now_ms >= p->tell_at)
            tell_dropped(p);
        if (p->look_at && p->flow.env.now_ms >= p->look_at)
            look_at_waiting(p);
    }
    for (size_t i = 0; i < p->streams.cap; i++)
        while (p->streams.slots[i].key)
            forget(p, p->streams.slots[i].value);
    p->janitor = janitor_free(p->janitor);
    uv_mutex_lock(&p->lock);
    p->ended = true;
    uv_cond_signal(&p->left);
    uv_mutex_unlock(&p->lock);
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
    os_ready_wake(p->ready);
}

static struct order order_of(enum order_type type, uint64_t stream, const struct pump_target *to)
{
    return (struct order){ .type = type,
                           .stream = stream,
                           .path = xstrdup(to->path),
                           .rotate = to->rotate,
                           .lines = to->formatted ? lines_new(&to->lines) : NULL };
}

void pump_add(struct pump *p, uint64_t stream, int fd, const struct pump_target *to, enum pump_need need)
{
    struct order o = order_of(ORDER_ADD, stream, to);
    o.fd = fd;
    o.need = need;
    send_order(p, o);
}

void pump_change(struct pump *p, uint64_t stream, const struct pump_target *to)
{
    send_order(p, order_of(ORDER_CHANGE, stream, to));
}

void pump_flush(struct pump *p, uint64_t ticket, const struct pump_target *to)
{
    send_order(p, order_of(ORDER_FLUSH, ticket, to));
}

void pump_reopen(struct pump *p, uint64_t ticket, const struct pump_target *to)
{
    send_order(p, order_of(ORDER_REOPEN, ticket, to));
}

void pump_remove(struct pump *p, uint64_t stream)
{
    send_order(p, (struct order){ .type = ORDER_REMOVE, .stream = stream });
}

void pump_hurry(struct pump *p, uint64_t stream)
{
    send_order(p, (struct order){ .type = ORDER_HURRY, .stream = stream });
}

void pump_use_transit(struct pump *p, const int fds[TRANSIT_FDS])
{
    struct order o = { .type = ORDER_TRANSIT };
    memcpy(o.transit, fds, sizeof(o.transit));
    send_order(p, o);
}

void pump_begin(struct pump *p)
{
    send_order(p, (struct order){ .type = ORDER_BEGIN });
}

static void wake(void *arg)
{
    struct pump *p = arg;
    os_ready_wake(p->ready);
}

static void prepare(struct pump *p)
{
    flow_init(&p->flow);
    p->janitor = janitor_new(wake, p);
    p->flow.env.marks = marks_cache_new();
    p->flow.env.trash = (struct rotate_trash){ on_trash, p };
    p->flow.env.note = on_note;
    p->flow.env.rotated = on_rotated;
    p->flow.env.arg = p->flow.arg = p;
    p->flow.trouble = on_trouble;
    p->flow.dropped = on_dropped;
    p->flow.better = on_better;
    list_init(&p->orders);
    list_init(&p->reports);
    list_init(&p->due);
    list_init(&p->sinks);
    read_clocks(p);
}

struct pump *pump_new(uv_loop_t *loop, pump_told *told, void *arg)
{
    struct pump *p = xnew(struct pump);
    p->told = told;
    p->arg = arg;
    prepare(p);
    p->ready = os_ready_new();
    assert(p->ready);
    uv_mutex_init(&p->lock);
    uv_cond_init(&p->left);
    uv_async_init(loop, &p->wake_owner, on_reports);
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
    list_each_safe (l, &p->orders)
        order_free(container_of(l, struct order, link));
    uv_cond_destroy(&p->left);
    uv_mutex_destroy(&p->lock);
    os_ready_free(p->ready);
    marks_cache_free(p->flow.env.marks);
    transit_free(p->flow.transit);
    flow_done(&p->flow);
    map_done(&p->streams);
    map_done(&p->by_path);
    free(p);
}

static bool await_end(struct pump *p)
{
    uv_mutex_lock(&p->lock);
    while (!p->ended && uv_cond_timedwait(&p->left, &p->lock, (uint64_t)LEAVE_MS * 1000000) == 0) {
    }
    bool ended = p->ended;
    uv_mutex_unlock(&p->lock);
    return ended;
}

static void left_behind(uv_handle_t *h)
{
}

struct pump *pump_free(struct pump *p)
{
    if (!p)
        return NULL;
    send_order(p, (struct order){ .type = ORDER_END });
    bool ended = await_end(p);
    if (ended)
        uv_thread_join(&p->thread);
    uv_close((uv_handle_t *)&p->wake_owner, ended ? owner_closed : left_behind);
    return NULL;
}
