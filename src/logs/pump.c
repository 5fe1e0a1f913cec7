#include "logs/pump.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "logs/works.h"
#include "os/lowly.h"
#include "os/stall.h"

enum {
    LEAVE_MS = 1000, /* what the thread has to end */
    RETRY_MS = 1000, /* where there was no thread to be had */
    WATCH_MS = 150,  /* while the thread works: does it come on? */
    END_MS = 200,    /* a new run waits so long for what the last one left */
    STACK = 128 << 10,
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

    struct works *works; /* the thread's */

    /* the owner's */
    bool running, missed; /* the thread; there was none to be had, and that was said */
    uv_thread_t thread;
    uv_timer_t retry;
    uv_timer_t watch;
    unsigned watched; /* works_pulse.turn at the last look */
    int stalls;       /* looks at which it was the same */
    _Atomic int tid;  /* the thread's */
    atomic_bool want_watch;
    unsigned last_ticket, ended_seen; /* of pump_end_run(); what works_ended() said at the last look ... */
    int64_t ended_at;                 /* ... and since when (mono ms) */
    unsigned seen;                    /* works_pulse.turn, and since when (mono ms) */
    int64_t seen_at;
    pump_told *told;
    void *arg;
};

/* The thread's half. */

static void tell(void *arg, const struct pump_news *news)
{
    struct pump *p = arg;
    struct report *r = xnew(struct report);
    r->news = *news;
    uv_mutex_lock(&p->lock);
    list_append(&p->reports, &r->link);
    uv_mutex_unlock(&p->lock);
    uv_async_send(&p->wake_owner);
}

static struct link *take_one(struct pump *p, struct link *queue)
{
    uv_mutex_lock(&p->lock);
    struct link *l = list_empty(queue) ? NULL : queue->next;
    if (l)
        list_remove(l);
    uv_mutex_unlock(&p->lock);
    return l;
}

static void ask_for_watch(void *arg)
{
    struct pump *p = arg;
    p->want_watch = true;
    uv_async_send(&p->wake_owner);
}

/* False: the last one was to end. */
static bool take_orders(struct pump *p)
{
    struct link *l;
    bool go_on = true;
    while (go_on && (l = take_one(p, &p->orders))) {
        struct order *o = container_of(l, struct order, link);
        go_on = o->type != ORDER_END;
        works_obey(p->works, o);
        order_free(o);
    }
    return go_on;
}

static void run(void *arg)
{
    struct pump *p = arg;
    p->tid = os_thread_id();
    os_prompt(); /* apps wait for room in their pipes */
    for (;;) {
        works_wait(p->works);
        if (!take_orders(p))
            break;
        works_move(p->works);
    }
    works_end(p->works);
    uv_mutex_lock(&p->lock);
    p->ended = true;
    uv_cond_signal(&p->left);
    uv_mutex_unlock(&p->lock);
}

/* The owner's half. */

/* There is no thread. */

static void drop_order(struct order *o)
{
    list_remove(&o->link);
    order_free(o);
}

static void forget_stream(struct pump *p, uint64_t stream)
{
    list_each_safe (l, &p->orders) {
        struct order *o = container_of(l, struct order, link);
        if (o->stream == stream &&
            (o->type == ORDER_ADD || o->type == ORDER_CHANGE || o->type == ORDER_HURRY))
            drop_order(o);
    }
}

/* Who waits for an answer gets one. True: streams of apps that run already wait for a thread. */
static bool refuse_orders(struct pump *p, int error)
{
    bool waiting = false;
    list_each_safe (l, &p->orders) {
        struct order *o = container_of(l, struct order, link);
        struct pump_news news = { .type = PUMP_DONE, .stream = o->stream, .error = error };
        if (o->type == ORDER_ADD && o->need == PUMP_OR_FAIL) {
            news.type = PUMP_FAILED;
        } else if (o->type == ORDER_SEND) {
            news.type = PUMP_SENT;
            news.ticket = o->number;
        } else if (o->type == ORDER_ENDED) {
            news.type = PUMP_ENDED;
            news.bytes = o->ticket;
        } else if (o->type == ORDER_REMOVE) {
            news.type = PUMP_REMOVED;
            forget_stream(p, o->stream); /* in front of this one */
        } else if (o->type != ORDER_FLUSH && o->type != ORDER_REOPEN) {
            continue;
        }
        tell(p, &news);
        drop_order(o);
    }
    list_each (l, &p->orders)
        waiting |= container_of(l, struct order, link)->type == ORDER_ADD;
    return waiting;
}

static void on_retry(uv_timer_t *t);

/* With the first order that needs it: a daemon without apps has none. */
static void need_thread(struct pump *p)
{
    uv_thread_options_t options = { .flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK };
    if (p->running)
        return;
    int r = uv_thread_create_ex(&p->thread, &options, run, p);
    p->running = r == 0;
    if (!p->running && !p->missed)
        log_error("the thread that writes logs: %s", uv_strerror(r));
    p->missed = !p->running;
    if (p->running)
        return;
    if (refuse_orders(p, -r))
        uv_timer_start(&p->retry, on_retry, RETRY_MS, 0);
}

static void on_retry(uv_timer_t *t)
{
    need_thread(container_of(t, struct pump, retry));
}

/* New runs have waited long enough for the thread: they begin without it. */
static void void_ends(struct pump *p)
{
    unsigned ended = works_ended(p->works);
    int64_t now = time_mono_ms();
    if (ended != p->ended_seen) {
        p->ended_seen = ended;
        p->ended_at = now;
    }
    if (p->last_ticket == ended || now - p->ended_at < END_MS)
        return;
    p->ended_at = now;
    works_void(p->works, p->last_ticket);
    p->told(p->arg, &(struct pump_news){ .type = PUMP_ENDED, .bytes = p->last_ticket });
}

/* So has who sends something. */
static void void_sends(struct pump *p)
{
    struct link late;
    int64_t now = time_mono_ms();
    list_init(&late);
    uv_mutex_lock(&p->lock);
    list_each_safe (l, &p->orders) {
        const struct order *o = container_of(l, struct order, link);
        if (o->type != ORDER_SEND || now < o->until)
            continue;
        list_remove(l);
        list_append(&late, l);
    }
    uv_mutex_unlock(&p->lock);
    list_each_safe (l, &late) {
        struct order *o = container_of(l, struct order, link);
        p->told(p->arg, &(struct pump_news){ .type = PUMP_SENT, .ticket = o->number, .error = ETIMEDOUT });
        drop_order(o);
    }
}

static void on_watch(uv_timer_t *t);

static void watch(struct pump *p)
{
    if (!uv_is_active((uv_handle_t *)&p->watch) && !uv_is_closing((uv_handle_t *)&p->watch))
        uv_timer_start(&p->watch, on_watch, WATCH_MS, 0);
}

static void on_watch(uv_timer_t *t)
{
    struct pump *p = container_of(t, struct pump, watch);
    struct works_pulse now = works_pulse(p->works);
    bool stalled = now.busy && now.turn == p->watched;
    p->watched = now.turn;
    p->stalls = stalled ? p->stalls + 1 : 0;
    if (stalled)
        p->told(p->arg,
                &(struct pump_news){
                    .type = PUMP_STALLED, .stream = now.stream, .error = p->stalls, .bytes = p->tid });
    void_ends(p);
    void_sends(p);
    if (now.busy || !works_unwatched(p->works))
        watch(p);
}

static void on_reports(uv_async_t *a)
{
    struct pump *p = container_of(a, struct pump, wake_owner);
    struct link *l;
    if (atomic_exchange(&p->want_watch, false)) {
        p->watched = works_pulse(p->works).turn;
        watch(p);
    }
    while ((l = take_one(p, &p->reports))) {
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
    if (order.type != ORDER_BEGIN)
        need_thread(p);
    works_wake(p->works);
}

static struct order order_of(enum order_type type, uint64_t stream, const struct pump_target *to)
{
    return (struct order){ .type = type,
                           .stream = stream,
                           .path = xstrdup(to->path),
                           .rotate = to->rotate,
                           .rights = rights_copy(to->rights),
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

void pump_sync(struct pump *p, uint64_t ticket)
{
    if (p->running)
        send_order(p, (struct order){ .type = ORDER_SYNC, .stream = ticket });
    else
        tell(p, &(struct pump_news){ .type = PUMP_DONE, .stream = ticket });
}

void pump_remove(struct pump *p, uint64_t stream)
{
    send_order(p, (struct order){ .type = ORDER_REMOVE, .stream = stream });
}

void pump_hurry(struct pump *p, uint64_t stream)
{
    send_order(p, (struct order){ .type = ORDER_HURRY, .stream = stream });
}

void pump_send(struct pump *p, uint64_t stream, uint64_t ticket, int take_fd, char *take_text, int64_t until)
{
    struct order o = {
        .type = ORDER_SEND, .stream = stream, .number = ticket, .fd = take_fd, .until = until
    };
    o.text = take_text;
    send_order(p, o);
}

unsigned pump_end_run(struct pump *p, uint64_t stream, bool gathered, int take_input)
{
    struct order o = { .type = ORDER_ENDED, .stream = stream, .fd = take_input, .gathered = gathered };
    o.ticket = ++p->last_ticket;
    if (works_ended(p->works) == o.ticket - 1) {
        p->ended_seen = o.ticket - 1;
        p->ended_at = time_mono_ms();
    }
    send_order(p, o);
    return o.ticket;
}

bool pump_has_ended(const struct pump *p, unsigned ticket)
{
    return (int)(works_ended(p->works) - ticket) >= 0;
}

bool pump_is_stalled(const struct pump *p)
{
    return p->stalls > 1 && works_pulse(p->works).turn == p->watched;
}

struct pump_idle pump_is_idle(const struct pump *p)
{
    struct works_pulse now = works_pulse(p->works);
    return (struct pump_idle){ .idle = !now.busy, .turn = now.turn };
}

bool pump_was_idle(const struct pump *p, struct pump_idle since)
{
    return since.idle && works_pulse(p->works).turn == since.turn;
}

int64_t pump_busy_for(struct pump *p, uint64_t *stream)
{
    struct works_pulse now = works_pulse(p->works);
    int64_t at = time_mono_ms();
    *stream = now.stream;
    if (now.turn != p->seen) {
        p->seen = now.turn;
        p->seen_at = at;
    }
    return now.busy ? at - p->seen_at : -1;
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

struct pump *pump_new(uv_loop_t *loop, pump_told *told, void *arg)
{
    struct pump *p = xnew(struct pump);
    struct works_hooks hooks = { tell, ask_for_watch, p };
    p->told = told;
    p->arg = arg;
    list_init(&p->orders);
    list_init(&p->reports);
    uv_mutex_init(&p->lock);
    uv_cond_init(&p->left);
    uv_async_init(loop, &p->wake_owner, on_reports);
    uv_timer_init(loop, &p->retry);
    uv_timer_init(loop, &p->watch);
    p->works = works_new(&hooks);
    return p->works ? p : NULL; /* the program ends then */
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
    works_free(p->works);
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

static void watch_closed(uv_handle_t *h)
{
    struct pump *p = container_of((uv_timer_t *)h, struct pump, watch);
    uv_close((uv_handle_t *)&p->wake_owner, !p->running ? owner_closed : left_behind);
}

static void retry_closed(uv_handle_t *h)
{
    struct pump *p = container_of((uv_timer_t *)h, struct pump, retry);
    uv_close((uv_handle_t *)&p->watch, watch_closed);
}

struct pump *pump_free(struct pump *p)
{
    if (!p)
        return NULL;
    if (!p->running) {
        works_end(p->works);
    } else {
        send_order(p, (struct order){ .type = ORDER_END });
        if (await_end(p)) {
            uv_thread_join(&p->thread);
            p->running = false;
        }
    }
    uv_close((uv_handle_t *)&p->retry, retry_closed);
    return NULL;
}
