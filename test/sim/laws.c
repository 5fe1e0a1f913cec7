#include "laws.h"

#include <string.h>

enum {
    SOON = 3000,    /* ms: the daemon is back, and has looked */
    PATIENCE = 5000 /* ms: what a stop may take beyond kill_timeout: two rounds of force */
};

static const struct {
    const char *name, *text;
} laws[LAW_N] = {
    [LAW_ONE_CHILD] = { "one-child", "two main processes of one instance live" },
    [LAW_HAS_ENTRY] = { "child-has-entry", "a main process lives that the keeper does not know" },
    [LAW_ONLINE_CHILD] = { "online-has-child", "it is online without a child" },
    [LAW_NOTHING_LEFT] = { "stop-leaves-nothing", "a stop was answered and something of it lives" },
    [LAW_STOP_WINS] = { "stop-wins", "it was told to stop and does something else" },
    [LAW_SPAWN_IN_START] = { "spawn-in-starting", "a child was made in another state than starting" },
    [LAW_STUCK_ALONE] = { "stuck-alone", "a stuck instance got a second child" },
    [LAW_SETTLED_RESTS] = { "settled-rests", "it left stopped, errored or stuck without a command" },
    [LAW_EXIT_TOLD_ONCE] = { "exit-told-once", "an exit was told twice, or never" },
    [LAW_EXIT_ANSWERED] = { "exit-answered", "an exit went unnoticed" },
    [LAW_CAUSE_TRUE] = { "cause-is-true", "a transition has a wrong cause" },
    [LAW_RESTARTS] = { "restarts-allowed", "an automatic restart that policy does not allow" },
    [LAW_DELAY] = { "delay-kept", "an automatic restart before its time" },
    [LAW_RUN_ALONE] = { "run-alone", "a child was made beside processes of the last run" },
    [LAW_MOVES_ON] = { "moves-on", "it stays in a passing state" },
};

const char *law_name(enum law l)
{
    return laws[l].name;
}

const char *law_text(enum law l)
{
    return laws[l].text;
}

static void demand(struct record *r, bool held, enum law l)
{
    if (!held && r->broken == LAW_NONE)
        r->broken = l;
}

static bool is_command(enum life_event ev)
{
    return ev == EV_START || ev == EV_RESTART;
}

static bool is_verdict(enum life_event ev)
{
    return ev == EV_AGAIN || ev == EV_LATER || ev == EV_FINISHED || ev == EV_GIVE_UP;
}

static bool is_running(enum life l)
{
    return l == LIFE_STARTING || l == LIFE_ONLINE || l == LIFE_WAITING;
}

static int living(const struct record *r)
{
    return r->mains + (r->spec->treekill ? r->others : 0);
}

static void look_if_empty(struct record *r, int64_t now)
{
    r->empty_since = living(r) ? 0 : r->empty_since ? r->empty_since : now;
}

/* What really happens. */

void laws_forked(struct record *r, int64_t now, int child)
{
    demand(r, r->put.life != LIFE_STUCK, LAW_STUCK_ALONE);
    demand(r, !r->stop_wanted, LAW_STOP_WINS);
    demand(r, r->mains == 0, LAW_ONE_CHILD);
    demand(r, r->put.life == LIFE_STARTING, LAW_SPAWN_IN_START);
    demand(r, r->dead_child == r->told_child, LAW_EXIT_TOLD_ONCE);
    demand(r, now >= r->due, LAW_DELAY);
    demand(r, living(r) == 0, LAW_RUN_ALONE);
    r->mains++;
    r->child = r->kept_child = child;
    r->forked_at = r->since = now;
    r->rebirths = 0;
    r->adopted = false;
    r->due = 0;
    look_if_empty(r, now);
}

void laws_main_ended(struct record *r, int64_t now, const struct exit_status *how)
{
    r->mains--;
    r->dead_child = r->child;
    r->died_at = now;
    r->end = *how;
    look_if_empty(r, now);
}

void laws_others(struct record *r, int64_t now, int more)
{
    r->others += more;
    r->born_at = more > 0 ? now : r->born_at;
    look_if_empty(r, now);
}

/* Policy, told again: from the settings, not from policy.c. */

static int64_t delay_of(struct record *r, bool spawn_failed)
{
    const struct app_spec *s = r->spec;
    int64_t delay = s->restart_delay;
    if (s->exp_backoff_restart_delay) {
        r->backoff = r->backoff ? 2 * r->backoff : s->exp_backoff_restart_delay;
        if (r->backoff > 15000)
            r->backoff = 15000;
        delay = r->backoff;
    }
    return spawn_failed && delay < 1000 ? 1000 : delay;
}

static bool is_success(const struct record *r, bool unknown)
{
    int code = r->end.code;
    return !unknown && !r->end.signal && (r->spec->stop_exit_codes.bits[code / 64] >> (code % 64) & 1);
}

static void judge(struct record *r, int64_t now, enum life to, bool wanted)
{
    int64_t most = r->spec->max_restarts;
    bool allowed =
        wanted && r->spec->autorestart != AUTORESTART_NEVER && most != 0 && (most < 0 || r->row < most);
    bool comes = to == LIFE_STARTING || to == LIFE_WAITING;
    demand(r, allowed || !comes, LAW_RESTARTS);
    if (comes) {
        r->due = now + delay_of(r, r->why == CAUSE_SPAWN);
        r->commanded = false;
    }
}

static void see_failed_spawn(struct record *r, int64_t now, const struct sight *s)
{
    r->row++;
    r->why = CAUSE_SPAWN;
    judge(r, now, s->life, !r->commanded);
}

/* A child ended, or was ended because it was not ready in time. */
static void see_unasked_end(struct record *r, int64_t now, const struct sight *s)
{
    bool not_ready = r->put.life == LIFE_FAILING;
    bool unknown = s->cause == CAUSE_UNKNOWN && r->adopted;
    int64_t uptime = now - r->forked_at;
    r->row = !not_ready && uptime >= r->spec->min_uptime ? 0 : r->row + 1;
    if (!not_ready && uptime >= 30000)
        r->backoff = 0;
    r->why = not_ready       ? CAUSE_NOT_READY
             : unknown       ? CAUSE_UNKNOWN
             : r->end.signal ? CAUSE_SIGNAL
                             : CAUSE_EXIT;
    judge(r, now, s->life, not_ready || !is_success(r, unknown));
}

static void see_verdict(struct record *r, int64_t now, const struct sight *s)
{
    if (r->put.life == LIFE_STARTING && !r->put.child && !s->tells)
        see_failed_spawn(r, now, s);
    else
        see_unasked_end(r, now, s);
    demand(r, s->cause == r->why, LAW_CAUSE_TRUE);
}

/* What the daemon says. */

static void see_end(struct record *r, const struct sight *s)
{
    demand(r, s->tells == r->dead_child && s->tells > r->told_child, LAW_EXIT_TOLD_ONCE);
    demand(r, s->cause != CAUSE_NONE, LAW_CAUSE_TRUE);
    if (life_is_stopping(r->put.life) || r->put.life == LIFE_STUCK)
        demand(r, s->cause != CAUSE_EXIT && s->cause != CAUSE_SIGNAL, LAW_CAUSE_TRUE);
    r->told_child = s->tells;
}

static void see_command(struct record *r, const struct sight *s)
{
    r->why = s->cause;
    r->row = r->backoff = r->due = 0;
    r->commanded = s->cause == CAUSE_MANUAL;
    r->stop_took = r->stop_answered = false;
    if (s->cause == CAUSE_MANUAL)
        r->stop_wanted = false;
}

static void see_move(struct record *r, int64_t now, const struct sight *s)
{
    if (life_is_settled(r->put.life))
        demand(r, s->cause == CAUSE_MANUAL || (r->put.life == LIFE_STUCK && s->ev == EV_GONE),
               LAW_SETTLED_RESTS);
    if (is_running(s->life))
        demand(r, s->cause == r->why, LAW_CAUSE_TRUE);
    if (life_is_stopping(s->life) && !life_is_stopping(r->put.life))
        r->stop_since = now;
    if (!life_is_stopping(s->life) || !life_is_stopping(r->put.life))
        r->rebirths = 0;
    r->since = now;
}

void laws_made(struct record *r, int64_t now, const struct app_spec *spec)
{
    *r = (struct record){ .spec = spec, .exists = true, .put.life = LIFE_STOPPED, .since = now };
    look_if_empty(r, now);
}

void laws_put(struct record *r, int64_t now, const struct sight *s)
{
    if (is_command(s->ev))
        see_command(r, s);
    if (is_verdict(s->ev))
        see_verdict(r, now, s);
    if (s->tells)
        see_end(r, s);
    if (s->ev == EV_STOP)
        r->stop_took = true;
    if (s->life != r->put.life)
        see_move(r, now, s);
    r->put = *s;
    r->kept_child = s->child;
}

void laws_deleted(struct record *r)
{
    demand(r, r->mains == 0, LAW_HAS_ENTRY);
    demand(r, r->dead_child == r->told_child, LAW_EXIT_TOLD_ONCE);
    r->exists = false;
}

void laws_reborn(struct record *r, int64_t now)
{
    enum life l = r->put.life;
    r->rebirths++;
    r->adopted = true;
    if (!life_is_settled(l) && l != LIFE_STOPPING)
        r->stop_wanted = false; /* it had not got that far; the client asks again, or not */
}

void laws_stop_told(struct record *r)
{
    r->stop_wanted = true;
}

void laws_stop_answered(struct record *r, bool all)
{
    if (r->put.life == LIFE_STOPPED && (r->stop_took || all))
        r->stop_answered = true;
}

/* After every step. */

static int64_t time_allowed(const struct record *r)
{
    const struct app_spec *s = r->spec;
    switch (r->put.life) {
    case LIFE_STARTING:
        if (living(r) && !r->mains) /* what the last run left has its time */
            return (r->rebirths + 1) * (s->kill_timeout + PATIENCE);
        return SOON + (r->put.child && s->wait_ready ? (r->rebirths + 1) * s->listen_timeout : 0);
    case LIFE_STOPPING:
    case LIFE_RESTARTING:
    case LIFE_FAILING:
        return (r->rebirths + 1) * (s->kill_timeout + PATIENCE);
    case LIFE_STUCK:
        return MORTAL_MOST + SOON + (r->rebirths + 1) * PATIENCE;
    default:
        return INT64_MAX;
    }
}

static void check_progress(struct record *r, int64_t now)
{
    enum life l = r->put.life;
    int64_t since = life_is_stopping(l) ? r->stop_since
                    : l == LIFE_STUCK   ? MAX(r->since, r->born_at)
                    : !r->mains         ? MAX(r->since, r->empty_since)
                                        : r->since;
    demand(r, now - since <= time_allowed(r), LAW_MOVES_ON);
    if (l == LIFE_WAITING)
        demand(r, now <= r->put.deadline + SOON, LAW_MOVES_ON);
    if (l == LIFE_STUCK)
        demand(r, !r->empty_since || now - MAX(r->empty_since, r->since) <= SOON, LAW_MOVES_ON);
}

static void check_exits(struct record *r, int64_t now)
{
    enum life l = r->put.life;
    bool untold = r->dead_child != r->told_child;
    if (untold && r->kept_child == r->dead_child)
        demand(r, now - r->died_at <= SOON, LAW_EXIT_ANSWERED);
    if (untold && r->kept_child == 0)
        demand(r, life_is_stopping(l) || l == LIFE_STUCK, LAW_EXIT_TOLD_ONCE);
}

enum law laws_check(struct record *r, int64_t now)
{
    enum life l = r->put.life;
    demand(r, r->mains <= 1, LAW_ONE_CHILD);
    demand(r, !r->mains || (r->exists && r->kept_child == r->child), LAW_HAS_ENTRY);
    if (!r->exists)
        return r->broken;
    demand(r, l != LIFE_ONLINE || r->kept_child, LAW_ONLINE_CHILD);
    demand(r, !r->stop_answered || living(r) == 0, LAW_NOTHING_LEFT);
    demand(r, !r->stop_wanted || life_is_settled(l) || l == LIFE_STOPPING, LAW_STOP_WINS);
    check_exits(r, now);
    check_progress(r, now);
    return r->broken;
}
