#include "daemon/op.h"

#include <stdlib.h>
#include <string.h>

#include "app/entry.h"
#include "app/timetable.h"
#include "app/watching.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/time.h"
#include "daemon/show.h"
#include "daemon/state.h"

enum { TRIM_FROM = 16 /* items */, PROGRESS_MS = 100 };

struct item {
    struct link link; /* in app->requests, until done */
    struct op *op;
    enum op_kind kind;
    bool begun;
    int wanted;            /* OP_SCALE */
    size_t at;             /* OP_RELOAD: the instance that is being replaced */
    bool stepping, failed; /* OP_RELOAD: it was told to; it did not get ready */
    char *outcome;         /* JSON, once done */
};

struct op {
    struct link link;
    struct daemon *daemon;
    uint64_t conn; /* 0: nobody */
    char *id;
    char *token; /* of the request, or NULL */
    bool retry, wait;
    bool going;  /* op_go was called: it may end */
    bool untold; /* more is done than its client knows */
    struct item **items;
    size_t n, open;
    char *warning;
    op_ended *done;
};

struct op *op_new_silent(struct daemon *d)
{
    struct op *o = xnew(struct op);
    o->daemon = d;
    list_append(&d->ops, &o->link);
    return o;
}

struct op *op_new(struct request *r, bool wait)
{
    struct op *o = op_new_silent(r->daemon);
    o->conn = r->conn->number;
    o->id = r->id ? xstrdup(r->id) : NULL;
    o->token = r->token ? xstrdup(r->token) : NULL;
    o->retry = r->retry;
    o->wait = wait;
    return o;
}

static void op_free(struct op *o)
{
    for (size_t i = 0; i < o->n; i++) {
        free(o->items[i]->outcome);
        free(o->items[i]);
    }
    list_remove(&o->link);
    free(o->items);
    free(o->warning);
    free(o->token);
    free(o->id);
    free(o);
}

static struct item *item_new(struct op *o, enum op_kind kind)
{
    struct item *it = xnew(struct item);
    it->op = o;
    it->kind = kind;
    list_init(&it->link);
    o->items = xrealloc(o->items, (o->n + 1) * sizeof(*o->items));
    o->items[o->n++] = it;
    return it;
}

static size_t count_failed(const struct op *o)
{
    size_t n = 0;
    for (size_t i = 0; i < o->n; i++) /* within a JSON string the quotes would be escaped */
        n += strstr(o->items[i]->outcome, ",\"error\":{") != NULL;
    return n;
}

static void op_finish(struct op *o)
{
    own_buf json = { 0 };
    struct json_out j = JSON_OUT(&json);
    json_open(&j, NULL, '{');
    json_open(&j, "apps", '[');
    for (size_t i = 0; i < o->n; i++)
        json_raw(&j, NULL, o->items[i]->outcome);
    json_close(&j, ']');
    json_int(&j, "stopped", (int64_t)(o->n - count_failed(o)));
    if (o->warning)
        json_str(&j, "warning", o->warning);
    json_close(&j, '}');
    fault_point("op.done");
    answer_result(o->daemon, o->conn, o->id, json.data);
    struct daemon *d = o->daemon;
    op_ended *done = o->done;
    size_t count = o->n;
    op_free(o);
    state_changed(d);
    if (count > TRIM_FROM)
        daemon_trim_soon(d);
    if (done)
        done(d, count);
}

static void report_progress(struct op *o)
{
    struct conn *c = conn_find(o->daemon, o->conn);
    own_buf line = { 0 };
    o->untold = false;
    if (!c)
        return;
    buf_addf(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"done\":%zu,\"of\":%zu}}\n",
             o->n - o->open, o->n);
    conn_send(c, &line);
}

static void on_progress_due(uv_timer_t *t)
{
    struct daemon *d = container_of(t, struct daemon, progress_due);
    list_each (l, &d->ops) {
        struct op *o = container_of(l, struct op, link);
        if (o->untold)
            report_progress(o);
    }
}

/* Of 500 apps that start at once nobody reads 500 messages. */
static void note_progress(struct op *o)
{
    if (o->n < 2 || !o->id)
        return;
    o->untold = true;
    if (!uv_is_active((uv_handle_t *)&o->daemon->progress_due))
        uv_timer_start(&o->daemon->progress_due, on_progress_due, PROGRESS_MS, 0);
}

/* take_outcome is the item's JSON. The op may end with it. */
static void item_done(struct item *it, char *take_outcome)
{
    struct op *o = it->op;
    list_remove(&it->link);
    it->outcome = take_outcome;
    o->open--;
    if (o->open == 0 && o->going)
        op_finish(o);
    else if (o->going)
        note_progress(o);
}

static char *outcome_of(const struct app *a, bool unchanged)
{
    own_buf b = { 0 };
    struct json_out j = JSON_OUT(&b);
    show_outcome(&j, a, unchanged);
    return buf_steal(&b);
}

static char *outcome_error(const char *name, const struct err *e)
{
    own_buf b = { 0 };
    struct json_out j = JSON_OUT(&b);
    json_open(&j, NULL, '{');
    json_str(&j, "name", name);
    proto_write_error(&j, "error", e);
    json_close(&j, '}');
    return buf_steal(&b);
}

void op_add_unchanged(struct op *o, const struct app *a)
{
    item_new(o, OP_START)->outcome = outcome_of(a, true);
}

void op_add_error(struct op *o, const char *name, const struct err *e)
{
    item_new(o, OP_START)->outcome = outcome_error(name, e);
}

void op_when_done(struct op *o, op_ended *done)
{
    o->done = done;
}

void op_warn(struct op *o, const char *text)
{
    free(o->warning);
    o->warning = xstrdup(text);
}

void op_fail(struct op *o, const struct err *e)
{
    struct daemon *d = o->daemon;
    op_ended *done = o->done;
    answer_error(d, o->conn, o->id, e);
    op_free(o);
    if (done)
        done(d, 0);
}

static bool is_ending(enum op_kind k)
{
    return k == OP_STOP || k == OP_DELETE;
}

/* A stop always wins over a pending start or restart. */
static void cancel_starts(struct app *a, enum op_kind by)
{
    struct err e;
    err_set(&e, ERR_CANCELLED, "%s: a later %s won", a->spec->name, by == OP_STOP ? "stop" : "delete");
    list_each_safe (l, &a->requests) {
        struct item *it = container_of(l, struct item, link);
        if (!is_ending(it->kind))
            item_done(it, outcome_error(a->spec->name, &e));
    }
}

void op_add(struct op *o, struct app *a, enum op_kind kind)
{
    if (is_ending(kind))
        cancel_starts(a, kind);
    struct item *it = item_new(o, kind);
    o->open++;
    list_append(&a->requests, &it->link);
    world_touch(a);
}

bool op_is_last(const struct app *a, enum op_kind kind)
{
    return !list_empty(&a->requests) && container_of(a->requests.prev, struct item, link)->kind == kind;
}

void op_cancel(struct op *o)
{
    op_free(o);
}

void op_add_scale(struct op *o, struct app *a, int wanted)
{
    app_set_instances(a, wanted, o->token); /* first: a repeated request finds what it wanted */
    op_add(o, a, OP_SCALE);
    o->items[o->n - 1]->wanted = wanted;
}

void op_go(struct op *o)
{
    o->going = true;
    if (o->open == 0)
        op_finish(o);
}

/* One app's queue. */

static void begin(struct app *a, const struct item *it)
{
    static const enum life_event events[] = {
        [OP_START] = EV_START, [OP_STOP] = EV_STOP,       [OP_RESTART] = EV_RESTART,
        [OP_DELETE] = EV_STOP, [OP_RESURRECT] = EV_START,
    };
    if (it->kind == OP_SCALE)
        return;               /* step by step: advance_scale() */
    if (!is_ending(it->kind)) /* what a scale took away since this number came */
        app_grow(a, app_instances_wanted(a->spec));
    if (it->kind == OP_RELOAD)
        return; /* step by step: advance_reload() */
    for (int i = 0; i < (int)a->n && (is_ending(it->kind) || i < app_instances_wanted(a->spec)); i++)
        if (it->kind != OP_RESURRECT || a->instances[i]->life == LIFE_WAITING)
            instance_command(a->instances[i], events[it->kind], it->op->token, it->op->retry);
}

static const struct instance *find_life(const struct app *a, enum life life)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->instances[i]->life == life)
            return a->instances[i];
    return NULL;
}

/* With `wait`, only ready is started; an end before that is a failure, not a reason to go on waiting. */
static bool is_started(const struct instance *in, bool wait)
{
    if (wait && in->fails)
        return true;
    if (life_is_stopping(in->life))
        return false;
    return in->life != LIFE_STARTING || (instance_executed(in) && !wait);
}

static bool is_shrinking(enum op_kind k)
{
    return k == OP_DELETE || k == OP_SCALE;
}

static bool is_busy(const struct app *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (life_is_stopping(a->instances[i]->life))
            return true;
    return false;
}

static bool starts_all(enum op_kind k)
{
    return k == OP_START || k == OP_RESTART || k == OP_RESURRECT;
}

static bool is_complete(const struct app *a, const struct item *it)
{
    if (it->kind == OP_RELOAD) /* what is stuck above the number cannot go */
        return it->at >= a->n ||
               ((int)it->at >= app_instances_wanted(a->spec) && find_life(a, LIFE_STUCK) && !is_busy(a));
    if (is_shrinking(it->kind) && find_life(a, LIFE_STUCK))
        return !is_busy(a); /* it cannot go on: judge() says why */
    if (it->kind == OP_SCALE && (int)a->n != it->wanted)
        return false;
    if (starts_all(it->kind) && (int)a->n > app_instances_wanted(a->spec))
        return false; /* new settings want fewer: trim() */
    for (size_t i = 0; i < a->n; i++) {
        const struct instance *in = a->instances[i];
        if (is_ending(it->kind) ? !life_is_settled(in->life) : !is_started(in, it->op->wait))
            return false;
    }
    return it->kind != OP_DELETE || a->n == 0;
}

/* Instances above the number stop, then go; the highest first. */
static void trim(struct app *a, int wanted)
{
    for (int i = (int)a->n - 1; i >= wanted; i--) {
        struct instance *in = a->instances[i];
        if (!life_is_settled(in->life))
            instance_feed(in, EV_STOP, CAUSE_MANUAL);
        else if (!in->closing && in->life != LIFE_STUCK)
            instance_close(in);
    }
}

/* One instance after the other; the next is touched when the one before is ready. If it does not get there
 * the rest is left as it is; if all do, those above the number that new settings want go. */
static void advance_reload(struct app *a, struct item *it)
{
    size_t wanted = MIN(a->n, (size_t)app_instances_wanted(a->spec));
    while (it->at < wanted) {
        struct instance *in = a->instances[it->at];
        if (!it->stepping) {
            it->stepping = true;
            instance_command(in, EV_RESTART, it->op->token, it->op->retry);
        }
        if (!is_started(in, true))
            return;
        it->stepping = false;
        it->failed = in->fails || in->life != LIFE_ONLINE;
        it->at = it->failed ? a->n : it->at + 1;
    }
    if (!it->failed)
        trim(a, (int)wanted);
}

/* Up: new instances start beside the others if any of those runs. Down: the highest ones stop, then go. */
static void advance_scale(struct app *a, struct item *it)
{
    int n = (int)a->n;
    if (n < it->wanted) {
        bool running = find_life(a, LIFE_ONLINE) || find_life(a, LIFE_STARTING) || find_life(a, LIFE_WAITING);
        app_grow(a, it->wanted);
        for (size_t i = (size_t)n; running && i < a->n; i++)
            instance_feed(a->instances[i], EV_START, CAUSE_MANUAL);
    }
    trim(a, it->wanted);
}

/* A delete goes on when all is stopped: the logs are drained, then the instances go, then the app. */
static void close_instances(struct app *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (!life_is_settled(a->instances[i]->life) || a->instances[i]->life == LIFE_STUCK)
            return;
    if (a->removing)
        return;
    a->removing = true;
    entry_put_app(a);
    fault_point("delete.marked");
    for (size_t i = a->n; i-- > 0;)
        instance_close(a->instances[i]);
}

/* What was errored when it was saved is no failure of the resurrection. */
static bool resurrection_failed(const struct app *a, struct err *e)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct instance *in = a->instances[i];
        if (in->life != LIFE_ERRORED || !in->spawn_error)
            continue;
        *e = *in->spawn_error;
        err_in(e, "%s", a->spec->name);
        return true;
    }
    return false;
}

static void say_stuck(const struct instance *in, struct err *e)
{
    err_set(e, ERR_FAILED, "%s: %s", in->app->spec->name, in->reason ? in->reason : "unkillable");
    if (in->forbidden)
        err_hint(e, "sudo kill %d", (int)in->forbidden);
}

/* Why a start is no success; false if it is one. */
static bool start_failed(const struct app *a, const struct item *it, struct err *e)
{
    const struct instance *in = find_life(a, LIFE_ERRORED);
    if (!in)
        in = find_life(a, LIFE_STUCK);
    for (size_t i = 0; !in && it->op->wait && i < a->n; i++)
        if (a->instances[i]->fails && a->instances[i]->life != LIFE_STOPPED)
            in = a->instances[i];
    if (!in)
        return false;
    if (in->spawn_error)
        *e = *in->spawn_error;
    else if (in->life == LIFE_STUCK)
        say_stuck(in, e);
    else if (it->op->wait)
        instance_describe_end(in, e);
    else
        err_set(e, ERR_FAILED, "%s", in->reason ? in->reason : "it ended");
    if (in->life != LIFE_STUCK || in->spawn_error)
        err_in(e, "%s", a->spec->name);
    return true;
}

static const struct instance *find_failed(const struct app *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->instances[i]->fails || a->instances[i]->life == LIFE_ERRORED)
            return a->instances[i];
    return a->instances[0];
}

static char *judge(const struct app *a, const struct item *it)
{
    struct err e;
    if ((it->kind == OP_STOP || it->kind == OP_RELOAD || is_shrinking(it->kind)) &&
        find_life(a, LIFE_STUCK)) {
        say_stuck(find_life(a, LIFE_STUCK), &e);
        return outcome_error(a->spec->name, &e);
    }
    if (it->kind == OP_RELOAD && it->failed) {
        const struct instance *in = find_failed(a);
        instance_describe_end(in, &e);
        err_in(&e, "%s: instance %d did not get ready", a->spec->name, in->index);
        err_hint(&e, "the instances behind it were left as they were");
        return outcome_error(a->spec->name, &e);
    }
    if (it->kind == OP_RESURRECT && resurrection_failed(a, &e))
        return outcome_error(a->spec->name, &e);
    if ((it->kind == OP_START || it->kind == OP_RESTART || it->kind == OP_SCALE) && start_failed(a, it, &e))
        return outcome_error(a->spec->name, &e);
    return outcome_of(a, false);
}

/* A first start that failed leaves nothing behind: the person has the error and will try again. */
static bool is_stillborn(const struct app *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->instances[i]->life != LIFE_ERRORED || a->instances[i]->started_wall)
            return false;
    return a->is_new && a->n > 0;
}

/* Its items are answered once it is gone, so that who tries again at once finds the name free. */
static void bury(struct app *a)
{
    list_each (l, &a->requests) {
        struct item *it = container_of(l, struct item, link);
        if (it->begun)
            it->outcome = judge(a, it);
    }
    a->removing = true;
    entry_put_app(a);
    for (size_t i = a->n; i-- > 0;)
        instance_close(a->instances[i]);
}

static void settle_new(struct app *a)
{
    if (!a->is_new)
        return;
    a->is_new = false;
    entry_put_app(a);
}

static void fail_rest(struct app *a)
{
    struct err e;
    err_set(&e, ERR_NOT_FOUND, "no app `%s`", a->spec->name);
    while (!list_empty(&a->requests)) {
        struct item *it = container_of(a->requests.next, struct item, link);
        char *outcome = steal(it->outcome);
        if (!outcome)
            outcome = it->kind == OP_DELETE ? outcome_of(a, false) : outcome_error(a->spec->name, &e);
        item_done(it, outcome);
    }
}

/* Whether each child is yet to come, and comes with the settings as they are then. */
static bool are_all_to_come(const struct app *a)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct instance *in = a->instances[i];
        if (in->life != LIFE_RESTARTING && (in->life != LIFE_STARTING || instance_executed(in)))
            return false;
    }
    return true;
}

/* As one with those before it, which have begun. A restart may come of new settings or files: who is back
 * already came with the old ones. */
static bool may_join(const struct app *a, const struct item *it)
{
    if (it->kind == OP_RELOAD || it->kind == OP_SCALE)
        return false;
    return it->kind != OP_RESTART || it->begun || are_all_to_come(a);
}

/* The items that are worked on now: the first, and those of its kind behind it. */
static struct item *begin_first(struct app *a)
{
    struct item *first = container_of(a->requests.next, struct item, link);
    if (!first->begun)
        begin(a, first);
    list_each (l, &a->requests) {
        struct item *it = container_of(l, struct item, link);
        if (it->kind != first->kind || (it != first && !may_join(a, it)))
            break;
        it->begun = true;
    }
    return first;
}

/* stop_concurrency: its turn comes when fewer apps are being stopped. */
static bool must_wait(const struct app *a)
{
    int64_t most = a->world->settings->stop_concurrency, n = 0;
    const struct item *first = container_of(a->requests.next, struct item, link);
    if (most == 0 || first->begun || !is_ending(first->kind))
        return false;
    list_each (l, &a->world->apps)
        n += is_busy(container_of(l, struct app, link));
    return n >= most;
}

static void wake_waiting(struct world *w)
{
    if (w->settings->stop_concurrency == 0)
        return;
    list_each (l, &w->apps) {
        struct app *a = container_of(l, struct app, link);
        if (!list_empty(&a->requests) && !must_wait(a) &&
            !container_of(a->requests.next, struct item, link)->begun)
            world_touch(a);
    }
}

static void finish_begun(struct app *a, enum op_kind kind)
{
    list_each_safe (l, &a->requests) {
        struct item *it = container_of(l, struct item, link);
        if (it->begun && it->kind == kind && is_complete(a, it))
            item_done(it, judge(a, it));
    }
}

void op_advance(void *daemon, struct app *a)
{
    struct world *w = a->world;
    while (!a->removing && !list_empty(&a->requests) && !must_wait(a)) {
        struct item *first = begin_first(a);
        enum op_kind kind = first->kind;
        if (kind == OP_DELETE)
            close_instances(a);
        else if (kind == OP_RELOAD)
            advance_reload(a, first);
        else if (kind == OP_SCALE)
            advance_scale(a, first);
        else if (!is_ending(kind))
            trim(a, app_instances_wanted(a->spec));
        if (!is_complete(a, first))
            break;
        if (kind == OP_START && is_stillborn(a)) {
            bury(a);
            break;
        }
        finish_begun(a, kind);
        if (kind == OP_START)
            settle_new(a);
    }
    if (a->removing && a->n == 0) {
        fail_rest(a);
        app_forget(a);
    } else {
        timetable_advance(a);
        watching_advance(a);
    }
    wake_waiting(w);
}
