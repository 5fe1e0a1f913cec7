#include "logs/works.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "logs/janitor.h"
#include "logs/names.h"
#include "logs/sinks.h"
#include "logs/stream.h"
#include "os/pump.h"
#include "os/ready.h"
#include "os/stall.h"

enum {
    REST_US = 1000,
    SHORT_REST_US = 150, /* the pipe of a writer of 2 GB/s is full after 500 */
    RESTED_US = 800,     /* a stream that has been due for so long has had its rest, beside busier ones */
    TELL_MS = 1000,      /* how often it is told that more was dropped */
    STUCK_MS = 1000,
    AT_ONCE = 64,
    /* An app can hold its pipe's lock: splice(2) from a socket where nothing comes into its stdout does, and
     * what we do with that pipe waits. Again and again for a moment each, it would take most of our time: it
     * may have a moment, and then a small part. */
    SLOW_US = 5000, /* a longer wait counts, unless the processors are so busy that it is natural */
    SLOW_MOST = 200000,
    SLOW_PART = 32,
};

struct works {
    struct works_hooks hooks;
    struct os_ready *ready;
    bool begun;
    struct flow flow;
    struct janitor *janitor;
    struct transit_left recover;
    struct link due;
    struct link resting; /* streams, by their `due` */
    int64_t rested_at;   /* mono us: the first of them is due again; 0: there is none */
    struct sinks sinks;
    struct map streams;
    int64_t mono_us;          /* of this round */
    int64_t tell_at, look_at; /* mono ms; 0: never */
    _Atomic unsigned turn;    /* odd: at work */
    _Atomic uint64_t at;      /* the stream that is worked at, or 0 */
    atomic_bool watched;      /* the owner looks whether we come on */
    _Atomic unsigned ended;   /* the ticket of the last ORDER_ENDED that was obeyed */
    _Atomic unsigned voided;  /* ... and of the last that is not waited for any more */
    unsigned obeying;         /* ... and of the one at hand */
};

/* Work begins that may hang in the disk, or in a pipe whose lock an app holds. */
static void begin_turn(struct works *w, uint64_t stream)
{
    w->at = stream;
    w->turn += w->turn % 2 ? 2 : 1;
    if (!w->watched && !atomic_exchange(&w->watched, true))
        w->hooks.watch(w->hooks.arg);
}

static void end_turn(struct works *w)
{
    w->turn += w->turn % 2;
}

struct works_pulse works_pulse(const struct works *w)
{
    unsigned turn = w->turn;
    return (struct works_pulse){ .turn = turn, .busy = turn % 2, .stream = w->at };
}

bool works_unwatched(struct works *w)
{
    w->watched = false;
    return w->turn % 2 == 0 || atomic_exchange(&w->watched, true); /* it may have begun just now */
}

unsigned works_ended(const struct works *w)
{
    return w->ended;
}

void works_void(struct works *w, unsigned ticket)
{
    w->voided = ticket;
}

static void report(struct works *w, struct pump_news news)
{
    w->hooks.tell(w->hooks.arg, &news);
}

static int64_t clock_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t read_clocks(struct works *w)
{
    int64_t mono = clock_us(CLOCK_MONOTONIC);
    w->flow.env.now_us = clock_us(CLOCK_REALTIME);
    w->flow.env.now_ms = mono / 1000;
    return mono;
}

/* Sinks. */

/* Tells about a sink are told of one of its streams: NULL when it has none. */
static struct stream *stream_of(const struct works *w, const struct sink *s)
{
    for (size_t i = 0; i < w->streams.cap; i++) {
        struct stream *st = w->streams.slots[i].key ? w->streams.slots[i].value : NULL;
        if (st && st->sink == s)
            return st;
    }
    return NULL;
}

/* A FIFO tells when it has room again; a sink's address is told apart from a stream's by its last bit. */
static void await_room(struct works *w, struct sink *s)
{
    if (s->fd >= 0 && !s->plain)
        os_ready_add(w->ready, s->fd, OS_READY_OUT, (char *)s + 1);
}

static struct sink *sink_get(struct works *w, const struct order *o, enum pump_need need)
{
    struct sink *s = sinks_find(&w->sinks, o->path, o->rights);
    if (s) {
        s->refs++;
        sink_set_rules(s, &o->rotate);
        return s;
    }
    s = sink_new(o->path, &o->rotate, o->rights);
    if (!sink_open(&w->flow.env, s)) {
        sink_failed(&w->flow.env, s, errno);
        if (need == PUMP_OR_FAIL) {
            int why = errno;
            sink_free(&w->flow.env, s);
            errno = why;
            return NULL;
        }
    }
    sinks_add(&w->sinks, s);
    await_room(w, s);
    return s;
}

static void sink_put(struct works *w, struct sink *s)
{
    if (--s->refs > 0)
        return;
    if (s->fd >= 0 && !s->plain)
        os_ready_remove(w->ready, s->fd);
    sinks_remove(&w->sinks, s);
    sink_free(&w->flow.env, s);
}

static void compress(struct works *w, struct sink *s)
{
    if (!s->rules.compress || !s->plain || s->compressing)
        return;
    s->compressing = true;
    janitor_compress(w->janitor, s->file, s->path, s->rights);
}

/* One that is too large from before is rotated now, and so is one whose rotation was interrupted. */
static void sink_settle(struct works *w, struct sink *s)
{
    bool at_line;
    if (s->fd >= 0)
        sink_room(&w->flow.env, s, &at_line);
    compress(w, s);
}

/* What sinks and streams tell. */

static void on_note(void *arg, struct sink *s, enum sink_note note, int error)
{
    struct works *w = arg;
    const struct stream *st = stream_of(w, s);
    if (st)
        report(w, (struct pump_news){ .type = PUMP_NOTE, .note = note, .stream = st->id, .error = error });
}

static void on_rotated(void *arg, struct sink *s)
{
    s->rotated_since = true;
    compress(arg, s);
}

static void on_trash(void *arg, int take_fd)
{
    struct works *w = arg;
    janitor_close(w->janitor, take_fd);
}

static void on_trouble(void *arg, struct stream *st, int error)
{
    report(arg, (struct pump_news){
                    .type = PUMP_TROUBLE, .stream = st->id, .error = error, .bytes = st->dropped });
}

static void on_dropped(void *arg, struct stream *st)
{
    struct works *w = arg;
    st->untold = true;
    if (!w->tell_at)
        w->tell_at = w->flow.env.now_ms + TELL_MS;
}

/* A disk that is nearly full takes a little now and then: it is better once it has gone well for a while. */
static void on_better(void *arg, struct stream *st)
{
    struct works *w = arg;
    if (!w->tell_at)
        w->tell_at = w->flow.env.now_ms + TELL_MS;
}

static void tell_one(struct works *w, struct stream *st)
{
    bool better = st->well_at && w->flow.env.now_ms - st->well_at >= TELL_MS;
    if (better || st->untold)
        report(w, (struct pump_news){
                      .type = better ? PUMP_BETTER : PUMP_DROPPED, .stream = st->id, .bytes = st->dropped });
    st->untold = false;
    if (better) {
        st->dropping = false;
        st->well_at = 0;
    } else if (st->well_at) {
        on_better(w, st); /* not yet */
    }
}

static void tell_dropped(struct works *w)
{
    w->tell_at = 0;
    for (size_t i = 0; i < w->streams.cap; i++)
        if (w->streams.slots[i].key)
            tell_one(w, w->streams.slots[i].value);
}

static bool has_inode(const struct place *at, const char *name, ino_t inode)
{
    struct stat st;
    return fstatat(at->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == inode;
}

/* The archive may have moved on meanwhile, or be gone. False: it is as it was. */
static bool place_there(const struct place *at, int keep, const struct janitor_done *done)
{
    struct stat was;
    own_text part = names_part(at->name);
    int number = fstat(done->fd, &was) == 0 ? rotate_find(at, keep, was.st_ino) : 0;
    own_text plain = names_archive(at->name, number, false);
    own_text gz = names_archive(at->name, number, true);
    if (!number || !has_inode(at, part, done->is)) {
        unlinkat(at->dir, part, 0);
        return false;
    }
    marks_move(at, was.st_ino, done->is);
    if (renameat(at->dir, part, at->dir, gz) < 0)
        return false;
    unlinkat(at->dir, plain, 0);
    return true;
}

static bool place_compressed(int keep, const struct janitor_done *done)
{
    struct place at;
    if (place_enter(&at, done->rights, done->name, done->path) < 0)
        return false;
    bool placed = place_there(&at, keep, done);
    place_end(&at);
    return placed;
}

/* Two names may lead to one file. */
static struct sink *next_with_file(const struct works *w, const char *file, struct sink *after)
{
    for (struct link *l = after ? after->link.next : w->sinks.all.next; l != &w->sinks.all; l = l->next) {
        struct sink *s = container_of(l, struct sink, link);
        if (strcmp(s->file, file) == 0)
            return s;
    }
    return NULL;
}

static void take_compressed(struct works *w)
{
    struct janitor_done done;
    if (!janitor_is_done(w->janitor, &done))
        return;
    own_text file = xstrdup(done.path);
    struct sink *s = next_with_file(w, file, NULL);
    bool more = !done.failed && place_compressed(s ? s->rules.keep : 0, &done);
    janitor_placed(w->janitor);
    for (; s; s = next_with_file(w, file, s)) {
        s->compressing = false;
        if (more || s->rotated_since) /* until none is left */
            compress(w, s);
        s->rotated_since = false;
    }
}

/* Moving. */

static void make_due(struct works *w, struct stream *st)
{
    if (!list_linked(&st->due))
        list_append(&w->due, &st->due);
}

static void make_waiting_due(struct works *w, struct sink *s)
{
    while (!list_empty(&s->waiting)) {
        struct stream *st = container_of(s->waiting.next, struct stream, waiting);
        list_remove(&st->waiting);
        make_due(w, st);
    }
}

static void on_room(struct works *w, struct sink *s)
{
    s->retry_at = 0;
    make_waiting_due(w, s);
}

/* Those whose FIFO nobody reads have waited long enough: they drop. */
static void look_at_waiting(struct works *w)
{
    w->look_at = 0;
    list_each (l, &w->sinks.all)
        make_waiting_due(w, container_of(l, struct sink, link));
}

/* A pipe that is waited for makes each of its writer's writes dearer (measured: a fifth). While much comes
 * after every rest there is no need to. */
static void set_unwatched(struct works *w, struct stream *st, bool unwatched)
{
    if (unwatched == st->unwatched)
        return;
    if (unwatched)
        os_ready_remove(w->ready, st->fd);
    else if (os_ready_add(w->ready, st->fd, OS_READY_IN, st) < 0) /* which tells what has come by now, too */
        return;
    st->unwatched = unwatched;
}

static void move(struct works *w, struct stream *st)
{
    begin_turn(w, st->id);
    bool much = stream_move(&w->flow, st) > 0 && st->much && st->sink->plain;
    set_unwatched(w, st, much);
    if (st->unwatched || st->more) {
        st->since = w->mono_us;
        return;
    }
    st->hurried = false;
    st->ending = false;
    list_remove(&st->due);
    if (list_linked(&st->waiting) && !w->look_at)
        w->look_at = w->flow.env.now_ms + STUCK_MS;
}

/* One whose pipe makes us wait gives the others their turn. */
static void move_and_rest(struct works *w, struct stream *st)
{
    w->flow.pipe_us = 0;
    move(w, st);
    int64_t waited = w->flow.pipe_us;
    if (waited < SLOW_US || waited < SLOW_US * 2 * os_queue()) /* who has the lock waits for a processor */
        return;
    int64_t now = clock_us(CLOCK_MONOTONIC), paid = (now - st->waited_at) / SLOW_PART;
    st->waited = waited + MAX(st->waited - paid, (int64_t)0);
    st->waited_at = now;
    if (st->waited <= SLOW_MOST)
        return;
    st->rest_until = now + (st->waited - SLOW_MOST) * SLOW_PART;
    if (!w->rested_at || st->rest_until < w->rested_at)
        w->rested_at = st->rest_until;
    list_remove(&st->due);
    list_append(&w->resting, &st->due);
}

static void look_at_resting(struct works *w, int64_t now)
{
    w->rested_at = 0;
    list_each_safe (l, &w->resting) {
        struct stream *st = container_of(l, struct stream, due);
        if (st->rest_until <= now) {
            list_remove(&st->due);
            make_due(w, st);
        } else if (!w->rested_at || st->rest_until < w->rested_at) {
            w->rested_at = st->rest_until;
        }
    }
}

/* How long it rests before its next transfer. */
static int rest_of(const struct stream *st)
{
    return st->busy || st->hurried ? 0 : st->brisk ? SHORT_REST_US : REST_US;
}

static void move_due(struct works *w)
{
    int rest = REST_US;
    list_each (l, &w->due)
        rest = MIN(rest, rest_of(container_of(l, struct stream, due)));
    if (rest)
        os_ready_rest(w->ready, rest);
    int64_t now = w->mono_us = read_clocks(w);
    list_each_safe (l, &w->due) {
        struct stream *st = container_of(l, struct stream, due);
        if (rest_of(st) <= rest || now - st->since >= RESTED_US)
            move_and_rest(w, st);
    }
}

/* Orders. */

static bool never(void *arg)
{
    return false;
}

static void add(struct works *w, struct order *o)
{
    struct sink *s = sink_get(w, o, o->need);
    if (!s) {
        report(w, (struct pump_news){ .type = PUMP_FAILED, .stream = o->stream, .error = errno });
        return;
    }
    struct stream *st = xnew(struct stream);
    *st = (struct stream){ .id = o->stream, .fd = o->fd, .sink = s, .lines = o->lines };
    o->lines = NULL;
    assert(!map_get(&w->streams, o->stream));
    map_put(&w->streams, o->stream, st);
    if (w->recover.phase && w->recover.stream == st->id) {
        stream_recover(&w->flow, st, &w->recover);
        w->recover.phase = TRANSIT_NONE;
    }
    stream_begin(st);
    if (o->need == PUMP_OR_FAIL && s->refs == 1)
        stream_end_run(&w->flow, st, true, never, NULL); /* of an app that had this file before */
    if (w->begun)
        sink_settle(w, s);
    os_ready_add(w->ready, st->fd, OS_READY_IN, st);
    report(w, (struct pump_news){ .type = PUMP_OPENED, .stream = st->id });
}

static void begin(struct works *w)
{
    w->begun = true;
    if (w->flow.transit && w->recover.phase)
        transit_clear(w->flow.transit); /* of a stream that is no more */
    w->recover.phase = TRANSIT_NONE;
    list_each (l, &w->sinks.all)
        sink_settle(w, container_of(l, struct sink, link));
}

static void use_transit(struct works *w, const struct order *o)
{
    w->flow.transit = transit_new(o->transit);
    if (!w->flow.transit)
        return;
    w->recover = transit_look(w->flow.transit);
    if (!w->recover.phase)
        transit_clear(w->flow.transit);
}

static void drain(struct works *w, struct stream *st)
{
    read_clocks(w);
    begin_turn(w, st->id);
    stream_drain(&w->flow, st);
    list_remove(&st->waiting);
}

static void forget(struct works *w, struct stream *st)
{
    os_ready_remove(w->ready, st->fd);
    map_remove(&w->streams, st->id);
    list_remove(&st->due);
    list_remove(&st->waiting);
    sink_put(w, st->sink);
    lines_free(st->lines);
    free(st);
}

static void change(struct works *w, struct order *o)
{
    struct stream *st = map_get(&w->streams, o->stream);
    if (!st)
        return;
    drain(w, st);
    struct sink *old = st->sink;
    st->sink = sink_get(w, o, PUMP_OR_DROP);
    sink_put(w, old);
    if (st->sink->refs == 1) /* the app's user may be another, or in other groups */
        sink_set_rights(st->sink, o->rights);
    lines_free(st->lines);
    st->lines = steal(o->lines);
    stream_begin(st);
    sink_settle(w, st->sink);
}

static void remove_stream(struct works *w, uint64_t id)
{
    struct stream *st = map_get(&w->streams, id);
    if (st) {
        st->ending = true;
        drain(w, st);
        tell_one(w, st);
        forget(w, st);
    }
    report(w, (struct pump_news){ .type = PUMP_REMOVED, .stream = id });
}

static void hurry(struct works *w, uint64_t id)
{
    struct stream *st = map_get(&w->streams, id);
    if (!st)
        return;
    st->hurried = st->ending = true; /* its processes are gone */
    make_due(w, st);
}

static bool is_void(void *arg)
{
    const struct works *w = arg;
    return (int)(w->obeying - w->voided) <= 0;
}

/* The next run waits for this, but not long: the owner voids what takes too long. */
static void end_run(struct works *w, const struct order *o)
{
    struct stream *st = map_get(&w->streams, o->stream);
    w->obeying = o->ticket;
    read_clocks(w);
    if (st && !is_void(w) && o->fd >= 0)
        os_pump_discard(o->fd);
    if (st && !is_void(w))
        stream_end_run(&w->flow, st, o->gathered, is_void, w);
    w->ended = o->ticket;
    report(w, (struct pump_news){ .type = PUMP_ENDED, .stream = o->stream, .bytes = o->ticket });
}

static void send_text(struct works *w, const struct order *o)
{
    struct pump_news news = { .type = PUMP_SENT, .stream = o->stream, .ticket = o->number };
    read_clocks(w);
    if (w->flow.env.now_ms >= o->until) {
        news.error = ETIMEDOUT;
    } else {
        news.bytes = write(o->fd, o->text, strlen(o->text));
        news.error = news.bytes < 0 ? errno : 0;
    }
    report(w, news);
}

/* A file that no stream has: an app that was never started. It is not made. */
static int64_t flush_unused(struct works *w, const struct order *o)
{
    struct stat st;
    struct place at;
    struct sink *s = sink_new(o->path, &o->rotate, o->rights);
    bool there = place_begin(&at, o->rights, o->path) == 0;
    if (there) {
        there = stat(at.name, &st) == 0 && S_ISREG(st.st_mode);
        place_end(&at);
    }
    there = there && sink_open(&w->flow.env, s);
    int64_t freed = there ? sink_flush(&w->flow.env, s) : 0;
    sink_free(&w->flow.env, s);
    return freed;
}

static void flush(struct works *w, const struct order *o)
{
    struct sink *s = sinks_find(&w->sinks, o->path, o->rights);
    int64_t freed = s ? sink_flush(&w->flow.env, s) : flush_unused(w, o);
    report(w, (struct pump_news){ .type = PUMP_DONE, .stream = o->stream, .bytes = freed });
}

static void reopen(struct works *w, const struct order *o)
{
    struct sink *s = sinks_find(&w->sinks, o->path, o->rights);
    int error = 0;
    if (s && s->fd >= 0 && !s->plain)
        os_ready_remove(w->ready, s->fd);
    if (s && !sink_reopen(&w->flow.env, s))
        error = errno;
    if (s) {
        s->retry_at = 0;
        await_room(w, s);
        make_waiting_due(w, s);
    }
    report(w, (struct pump_news){ .type = PUMP_DONE, .stream = o->stream, .error = error });
}

/* What is in pipes now; of a line without an end as much as its turn would have moved. */
static void sync_all(struct works *w, const struct order *o)
{
    int waiting;
    w->mono_us = read_clocks(w);
    for (size_t i = 0; w->begun && i < w->streams.cap; i++) {
        struct stream *st = w->streams.slots[i].key ? w->streams.slots[i].value : NULL;
        if (!st || st->rest_until > w->mono_us)
            continue;
        begin_turn(w, st->id);
        if (!os_pump_waiting(st->fd, &waiting) || waiting == 0)
            continue;
        make_due(w, st);
        move_and_rest(w, st);
    }
    report(w, (struct pump_news){ .type = PUMP_DONE, .stream = o->stream });
}

void works_obey(struct works *w, struct order *o)
{
    begin_turn(w, o->stream);
    switch (o->type) {
    case ORDER_ADD:
        add(w, o);
        break;
    case ORDER_CHANGE:
        change(w, o);
        break;
    case ORDER_REMOVE:
        remove_stream(w, o->stream);
        break;
    case ORDER_HURRY:
        hurry(w, o->stream);
        break;
    case ORDER_ENDED:
        end_run(w, o);
        break;
    case ORDER_SEND:
        send_text(w, o);
        break;
    case ORDER_FLUSH:
        flush(w, o);
        break;
    case ORDER_REOPEN:
        reopen(w, o);
        break;
    case ORDER_SYNC:
        sync_all(w, o);
        break;
    case ORDER_TRANSIT:
        use_transit(w, o);
        break;
    case ORDER_BEGIN:
        begin(w);
        break;
    case ORDER_END:
        break;
    }
}

void order_free(struct order *o)
{
    if (o->type == ORDER_ENDED || o->type == ORDER_SEND)
        fd_done(&o->fd);
    lines_free(o->lines);
    rights_free(o->rights);
    free(o->path);
    free(o->text);
    free(o);
}

/* The loop. */

static int time_left(const struct works *w)
{
    int64_t at = w->tell_at && (!w->look_at || w->tell_at < w->look_at) ? w->tell_at : w->look_at;
    if (w->begun && !list_empty(&w->due))
        return 0;
    if (w->rested_at && (!at || w->rested_at / 1000 < at))
        at = w->rested_at / 1000 + 1;
    return at ? (int)MAX(at - w->flow.env.now_ms, (int64_t)0) : -1;
}

void works_wait(struct works *w)
{
    void *what[AT_ONCE];
    end_turn(w);
    int n = os_ready_wait(w->ready, time_left(w), what, AT_ONCE);
    int64_t now = read_clocks(w);
    for (int i = 0; i < n; i++) {
        if ((uintptr_t)what[i] & 1) {
            on_room(w, (struct sink *)(void *)((char *)what[i] - 1));
            continue;
        }
        struct stream *st = what[i];
        if (!list_linked(&st->due))
            st->since = now;
        make_due(w, st);
    }
}

void works_move(struct works *w)
{
    begin_turn(w, 0);
    take_compressed(w);
    if (w->rested_at && w->flow.env.now_ms > w->rested_at / 1000)
        look_at_resting(w, clock_us(CLOCK_MONOTONIC));
    if (w->begun && !list_empty(&w->due))
        move_due(w);
    if (w->tell_at && w->flow.env.now_ms >= w->tell_at)
        tell_dropped(w);
    if (w->look_at && w->flow.env.now_ms >= w->look_at)
        look_at_waiting(w);
}

/* Beginning and ending. */

void works_wake(struct works *w)
{
    os_ready_wake(w->ready);
}

static void wake(void *arg)
{
    works_wake(arg);
}

struct works *works_new(const struct works_hooks *hooks)
{
    struct os_ready *ready = os_ready_new();
    if (!ready)
        return NULL;
    struct works *w = xnew(struct works);
    w->hooks = *hooks;
    w->ready = ready;
    w->janitor = janitor_new(wake, w);
    flow_init(&w->flow);
    w->flow.env = (struct sink_env){
        .marks = marks_cache_new(),
        .trash = { on_trash, w },
        .note = on_note,
        .rotated = on_rotated,
        .arg = w,
    };
    w->flow.trouble = on_trouble;
    w->flow.dropped = on_dropped;
    w->flow.better = on_better;
    w->flow.arg = w;
    list_init(&w->due);
    list_init(&w->resting);
    sinks_init(&w->sinks);
    read_clocks(w);
    return w;
}

void works_end(struct works *w)
{
    for (size_t i = 0; i < w->streams.cap; i++)
        while (w->streams.slots[i].key)
            forget(w, w->streams.slots[i].value);
    w->janitor = janitor_free(w->janitor);
}

struct works *works_free(struct works *w)
{
    marks_cache_free(w->flow.env.marks);
    transit_free(w->flow.transit);
    flow_done(&w->flow);
    map_done(&w->streams);
    sinks_done(&w->sinks);
    os_ready_free(w->ready);
    free(w);
    return NULL;
}
