#include "logs/pump.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "logs/works.h"
#include "os/lowly.h"

enum {
    LEAVE_MS = 1000, /* what the thread has to end */
    RETRY_MS = 1000, /* where there was no thread to be had */
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
    unsigned seen; /* works_pulse.turn, and since when (mono ms) */
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

static void on_reports(uv_async_t *a)
{
    struct pump *p = container_of(a, struct pump, wake_owner);
    struct link *l;
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
    struct works_hooks hooks = { tell, p };
    p->told = told;
    p->arg = arg;
    list_init(&p->orders);
    list_init(&p->reports);
    uv_mutex_init(&p->lock);
    uv_cond_init(&p->left);
    uv_async_init(loop, &p->wake_owner, on_reports);
    uv_timer_init(loop, &p->retry);
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

static void retry_closed(uv_handle_t *h)
{
    struct pump *p = container_of((uv_timer_t *)h, struct pump, retry);
    uv_close((uv_handle_t *)&p->wake_owner, !p->running ? owner_closed : left_behind);
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
