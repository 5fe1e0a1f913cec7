/* Every app with a cron_restart has a time at which it is due; one descriptor of the wall clock waits for the
 * first of them. When it comes, the next due time and the beginning of the round are in the keeper's hands
 * before anything is restarted: a daemon that takes over goes on with the round, whose instances that were
 * started behind its beginning are done.
 *
 * A time that passed unseen (the machine slept, no daemon was there, the clock was set forward) is not made
 * up, but said in the log. A clock that is set back a little does not fire a second time. */
#include "app/timetable.h"

#include <stdlib.h>
#include <unistd.h>

#include "app/entry.h"
#include "base/log.h"
#include "base/time.h"
#include "cron/due.h"
#include "os/clockfd.h"

enum { LOOK_MS = 60 * 1000 }; /* where nobody tells that the clock was set */

struct timetable {
    struct cron cron;
    struct due due;
    int64_t round; /* mono ms: when it began; 0: no instance is to be restarted now */
    size_t at;     /* the instance whose turn it is */
    bool stepping; /* it was told to restart */
};

/* One for all apps, made with the first timetable. */
struct timekeeper {
    struct world *world;
    int fd; /* -1: not on this system, the timer looks */
    uv_poll_t poll;
    uv_timer_t timer;
    size_t open; /* handles that are not closed yet */
};

/* When ------------------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void arm(struct world *w)
{
    struct timekeeper *k = w->timekeeper;
    int64_t first = INT64_MAX;
    list_each (l, &w->apps) {
        const struct app *a = container_of(l, struct app, link);
        if (a->timetable)
            first = MIN(first, a->timetable->due.at);
    }
    if (first == INT64_MAX) {
        timekeeper_free(w);
        return;
    }
    if (k->fd >= 0) {
        while (!os_clockfd_set(k->fd, first))
            os_clockfd_read(k->fd);
        return;
    }
    int64_t left = first - time_wall_ms();
    uv_timer_start(&k->timer, on_timer, (uint64_t)MAX(MIN(left, (int64_t)LOOK_MS), (int64_t)0), 0);
}

/* Restarting ------------------------------------------------------------------------------------------- */

static void end_round(struct app *a)
{
    a->timetable->round = 0;
    entry_put_app(a);
}

static void give_up(struct app *a, const struct instance *in)
{
    log_warn("%s %lld: did not come up again after its cron restart; the instances behind it are left alone",
             a->spec->name, (long long)in->id);
    end_round(a);
}

/* Only what runs, or is about to: a cron restart starts nothing that a person or the policy has stopped. */
static bool is_restarted(const struct instance *in)
{
    return in->life == LIFE_ONLINE || in->life == LIFE_WAITING;
}

/* Whether its turn has begun, by us or by the daemon before us. */
static bool has_begun(const struct timetable *t, const struct instance *in)
{
    return in->started_mono >= t->round || (in->life == LIFE_RESTARTING && in->cause == CAUSE_CRON);
}

static void step(struct app *a, struct instance *in)
{
    struct timetable *t = a->timetable;
    if (has_begun(t, in)) {
        t->stepping = true;
    } else if (is_restarted(in)) {
        t->stepping = true;
        log_info("%s %lld: cron_restart is due: restart", a->spec->name, (long long)in->id);
        instance_feed(in, EV_RESTART, CAUSE_CRON);
    } else {
        t->at++;
    }
}

void timetable_advance(struct app *a)
{
    struct timetable *t = a->timetable;
    while (t && t->round && list_empty(&a->requests)) { /* commands go first */
        if (t->at >= a->n || a->removing) {
            end_round(a);
            return;
        }
        struct instance *in = a->instances[t->at];
        if (!t->stepping) {
            step(a, in);
            continue;
        }
        if (in->life == LIFE_STARTING || in->life == LIFE_RESTARTING || in->life == LIFE_FAILING)
            return;
        if (in->life != LIFE_ONLINE && in->life != LIFE_STOPPED && in->life != LIFE_STOPPING) {
            give_up(a, in);
            return;
        }
        t->stepping = false;
        t->at++;
    }
}

static void begin_round(struct app *a)
{
    struct timetable *t = a->timetable;
    if (t->round) {
        log_warn("%s: cron_restart is due while the one before is still going on: skipped", a->spec->name);
        return;
    }
    t->round = time_mono_ms() + 1; /* what was started in this very ms is older */
    t->at = 0;
    t->stepping = false;
}

static void look(struct app *a, int64_t now, bool clock_set)
{
    struct timetable *t = a->timetable;
    char at[TIME_TEXT];
    int missed;
    int64_t was = t->due.at;
    enum due_answer answer = due_look(&t->due, &t->cron, now, clock_set, &missed);
    if (answer == DUE_MISSED)
        log_warn("%s: cron_restart was due at %s (%d in all) while velos could not see to it: not made up",
                 a->spec->name, time_rfc3339(was, at), missed);
    if (answer == DUE_NOW)
        begin_round(a);
    if (was != t->due.at)
        entry_put_app(a); /* before anything is done about it */
    timetable_advance(a);
}

static void look_at_all(struct world *w, bool clock_set)
{
    int64_t now = time_wall_ms();
    list_each (l, &w->apps) {
        struct app *a = container_of(l, struct app, link);
        if (a->timetable)
            look(a, now, clock_set);
    }
    arm(w);
}

/* The timekeeper --------------------------------------------------------------------------------------- */

static void on_clock(uv_poll_t *poll, int status, int events)
{
    struct timekeeper *k = container_of(poll, struct timekeeper, poll);
    bool set = os_clockfd_read(k->fd);
    if (set)
        log_info("the clock was set");
    look_at_all(k->world, set);
}

static void on_timer(uv_timer_t *timer)
{
    look_at_all(container_of(timer, struct timekeeper, timer)->world, true);
}

static struct timekeeper *timekeeper_new(struct world *w)
{
    struct timekeeper *k = xnew(struct timekeeper);
    k->world = w;
    k->fd = os_clockfd_new();
    uv_timer_init(w->loop, &k->timer);
    if (k->fd >= 0) {
        uv_poll_init(w->loop, &k->poll, k->fd);
        uv_poll_start(&k->poll, UV_READABLE, on_clock);
    }
    return k;
}

static void on_poll_closed(uv_handle_t *h)
{
    struct timekeeper *k = container_of((uv_poll_t *)h, struct timekeeper, poll);
    if (--k->open == 0)
        free(k);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct timekeeper *k = container_of((uv_timer_t *)h, struct timekeeper, timer);
    if (--k->open == 0)
        free(k);
}

void timekeeper_free(struct world *w)
{
    struct timekeeper *k = steal(w->timekeeper);
    if (!k)
        return;
    k->open = 1 + (k->fd >= 0);
    if (k->fd >= 0) {
        uv_poll_stop(&k->poll); /* out of epoll before the number is free again */
        close(k->fd);
        uv_close((uv_handle_t *)&k->poll, on_poll_closed);
    }
    uv_close((uv_handle_t *)&k->timer, on_timer_closed);
}

/* An app's ---------------------------------------------------------------------------------------------- */

void timetable_settle(struct app *a, const json_t *kept)
{
    struct world *w = a->world;
    struct cron c;
    struct err e;
    timetable_free(a);
    if (!a->spec->cron_restart)
        return;
    if (cron_parse(a->spec->cron_restart, &c, &e) < 0) { /* the key table took it */
        log_error("%s: cron_restart: %s", a->spec->name, e.text);
        return;
    }
    struct timetable *t = a->timetable = xnew(struct timetable);
    t->cron = c;
    t->due.last = json_get_int(kept, "cron_last", 0);
    t->due.at = json_get_int(kept, "cron_due", 0);
    t->round = json_get_int(kept, "cron_round", 0);
    if (!t->due.at)
        due_begin(&t->due, &t->cron, time_wall_ms());
    if (t->round)
        world_touch(a);
    if (!w->timekeeper)
        w->timekeeper = timekeeper_new(w);
    arm(w);
}

void timetable_free(struct app *a)
{
    free(a->timetable);
    a->timetable = NULL;
}

void timetable_write(const struct app *a, struct json_out *j)
{
    const struct timetable *t = a->timetable;
    if (!t)
        return;
    json_int(j, "cron_due", t->due.at);
    if (t->due.last)
        json_int(j, "cron_last", t->due.last);
    if (t->round)
        json_int(j, "cron_round", t->round);
}

size_t timetable_next(const struct app *a, int64_t out[TIMETABLE_SHOWN])
{
    const struct timetable *t = a->timetable;
    if (!t)
        return 0;
    out[0] = t->due.at;
    for (size_t i = 1; i < TIMETABLE_SHOWN; i++)
        out[i] = due_after(&t->cron, out[i - 1]);
    return TIMETABLE_SHOWN;
}
