/* The simulation test: the real life table and the real policy under a virtual clock.
 *
 * A world of a few apps is played event by event: children run, crash, hang, ignore SIGTERM, leave
 * descendants, cannot be killed for a while; people start, stop, restart and delete; memory, watch and cron
 * restart; the daemon is killed between any two things it does. The driver moves instances as app/instance.c,
 * world.c, sweep.c and daemon/op.c do, with life_next() and policy_judge() of the library. What survives the
 * daemon is the entry as it was last put, and processes. After every step the laws (laws.h) are checked.
 *
 *     sim [--steps N] [--seed S] [--break RULE]
 *     sim --self-test          every rule broken in turn: each must be found by the law it aims at
 *
 * No time, no addresses: a seed plays the same again. Breaks called `as-...` are what the daemon's code did
 * when this was written and what the laws found in it: there the driver does what it should. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "laws.h"

enum { APPS = 4, PER_APP = 3, INSTANCES = APPS * PER_APP, PROCS = 8, QUEUE = 16, EVENTS = 8192, LINES = 32 };
enum { RETRY_MS = 300 };

/* What is broken on purpose, and which law must find it. */
enum rule {
    RULE_NONE,
    RULE_TWO_CHILDREN,
    RULE_FORGET_CHILD,
    RULE_UNKNOWN_CHILD,
    RULE_ONLINE_WITHOUT_CHILD,
    RULE_LEAVE_SOME,
    RULE_STOP_LOSES,
    RULE_MEMORY_BEATS_STOP,
    RULE_SPAWN_WHILE_STOPPING,
    RULE_STUCK_SPAWNS,
    RULE_ERRORED_COMES_BACK,
    RULE_EXIT_TWICE,
    RULE_LOST_EXIT,
    RULE_WRONG_CAUSE,
    RULE_IGNORE_MAX_RESTARTS,
    RULE_RESTART_SUCCESS,
    RULE_NO_DELAY,
    RULE_NO_FORCE,
    RULE_AS_UNTOLD_END,
    RULE_AS_WAITING_CAUSE,
    RULE_AS_SWEEP_WITHOUT_END,
    RULE_AS_STUCK_UNWATCHED,
    RULE_AS_STUCK_SPARES,
    RULE_AS_DELETE_STUCK,
    RULE_AS_STOP_OF_STOPPED,
    RULE_AS_SPAWN_BESIDE,
    RULE_AS_DIRT_FORGOTTEN,
    RULE_N
};
static const struct {
    const char *name;
    enum law law;
} rules[RULE_N] = {
    [RULE_TWO_CHILDREN] = { "two-children", LAW_ONE_CHILD },
    [RULE_FORGET_CHILD] = { "forget-child", LAW_HAS_ENTRY },
    [RULE_UNKNOWN_CHILD] = { "unknown-child", LAW_HAS_ENTRY },
    [RULE_ONLINE_WITHOUT_CHILD] = { "online-without-child", LAW_ONLINE_CHILD },
    [RULE_LEAVE_SOME] = { "leave-some", LAW_NOTHING_LEFT },
    [RULE_STOP_LOSES] = { "stop-loses", LAW_STOP_WINS },
    [RULE_MEMORY_BEATS_STOP] = { "memory-beats-stop", LAW_STOP_WINS },
    [RULE_SPAWN_WHILE_STOPPING] = { "spawn-while-stopping", LAW_SPAWN_IN_START },
    [RULE_STUCK_SPAWNS] = { "stuck-spawns", LAW_STUCK_ALONE },
    [RULE_ERRORED_COMES_BACK] = { "errored-comes-back", LAW_SETTLED_RESTS },
    [RULE_EXIT_TWICE] = { "exit-twice", LAW_EXIT_TOLD_ONCE },
    [RULE_LOST_EXIT] = { "lost-exit", LAW_EXIT_ANSWERED },
    [RULE_WRONG_CAUSE] = { "wrong-cause", LAW_CAUSE_TRUE },
    [RULE_IGNORE_MAX_RESTARTS] = { "ignore-max-restarts", LAW_RESTARTS },
    [RULE_RESTART_SUCCESS] = { "restart-success", LAW_RESTARTS },
    [RULE_NO_DELAY] = { "no-delay", LAW_DELAY },
    [RULE_NO_FORCE] = { "no-force", LAW_MOVES_ON },
    [RULE_AS_UNTOLD_END] = { "as-untold-end", LAW_EXIT_TOLD_ONCE },
    [RULE_AS_WAITING_CAUSE] = { "as-waiting-cause", LAW_CAUSE_TRUE },
    [RULE_AS_SWEEP_WITHOUT_END] = { "as-sweep-without-end", LAW_MOVES_ON },
    [RULE_AS_STUCK_UNWATCHED] = { "as-stuck-unwatched", LAW_MOVES_ON },
    [RULE_AS_STUCK_SPARES] = { "as-stuck-spares", LAW_MOVES_ON },
    [RULE_AS_DELETE_STUCK] = { "as-delete-stuck", LAW_HAS_ENTRY },
    [RULE_AS_SPAWN_BESIDE] = { "as-spawn-beside", LAW_RUN_ALONE },
    [RULE_AS_DIRT_FORGOTTEN] = { "as-dirt-forgotten", LAW_RUN_ALONE },
    [RULE_AS_STOP_OF_STOPPED] = { "as-stop-of-stopped", LAW_NOTHING_LEFT },
};

/* Cells that no event can reach: policy never calls a child that was not ready in time a success. */
static bool is_out_of_reach(enum life l, enum life_event ev)
{
    return l == LIFE_FAILING && ev == EV_FINISHED;
}

struct proc {
    bool alive, zombie, is_main;
    bool in_group;  /* the stop signal reaches it */
    bool stubborn;  /* ... in vain */
    bool dying;     /* SIGKILL is on it */
    int64_t mortal; /* not killable before: uninterruptible sleep */
    uint32_t serial;
    uint32_t parent; /* the daemon that forked it */
    struct exit_status end;
};

/* What the daemon knows of an instance. All of it is in the entry, so `put = now` is a put and `now = put` is
 * what the next daemon starts with. */
struct self {
    bool exists;
    enum life life;
    enum cause cause;
    int child;
    int64_t started, deadline;
    bool signalled, commanded;
    bool dirty;        /* the last run may have left processes */
    int64_t forced_at; /* 0: not yet */
    struct policy_memory memory;
    struct exit_status last_exit;
    int64_t last_uptime;
    enum cause last_cause;
    int untold; /* the child that ended while stopping, until a transition tells it */
};

struct line {
    uint64_t step;
    int64_t at;
    enum word {
        SAID_NOTHING,
        SAID_MOVE,
        SAID_FORK,
        SAID_NO_FORK,
        SAID_FELLOW,
        SAID_END,
        SAID_SIGNAL,
        SAID_KILL,
        SAID_LEFT,
        SAID_COMMAND,
        SAID_DEATH,
        SAID_BIRTH,
        SAID_MADE,
        SAID_DELETED
    } word;
    int a, b, c, d;
};

struct instance_sim {
    int number;
    struct self now, put;
    int keeper_child; /* the keeper's side of the entry */
    bool has_status;
    struct exit_status status;
    bool spawn_due, sweep_due; /* the daemon's, not kept */
    uint32_t timer, leftover;  /* tokens; 0: none */
    bool clearing;             /* what the last run left has been asked to end */
    uint32_t clear_timer;
    int64_t clear_forced_at;
    int children;
    struct proc procs[PROCS];
    struct record laws;
    struct line lines[LINES];
    size_t n_lines;
};

enum command { CMD_START, CMD_STOP, CMD_RESTART, CMD_DELETE, CMD_N };
static const char *const command_names[CMD_N] = { "start", "stop", "restart", "delete" };

struct item {
    enum command command;
    bool begun;
};

struct app_sim {
    bool exists;
    struct app_spec *spec;
    int spawn_fails; /* of 100 */
    int temper;      /* how bad its processes are: 0, 1, 2 */
    struct item queue[QUEUE];
    size_t n;
};

enum kind { /* of what happens next */
            AT_TIMER,
            AT_SPAWN,
            AT_SWEEP,
            AT_EXIT, /* the daemon hears of it */
            AT_READY,
            AT_END, /* a process ends */
            AT_FORK,
            AT_COMMAND,
            AT_RETRY,
            AT_ADVANCE,
            AT_DISTURB,
            AT_DEATH,
            AT_BIRTH
};

struct happening {
    int64_t at;
    uint32_t rank;  /* the order of what happens in the same ms: any */
    uint32_t token; /* what it was meant for; stale if that is no more */
    uint8_t kind, who, slot, what;
};

struct sim {
    uint64_t random;
    int64_t now;
    uint64_t step, seed;
    enum rule rule;
    uint32_t daemon, serial;
    bool dead; /* nothing the daemon does from here on has an effect */
    bool down; /* ... and the next one is not there yet */
    int fuse;  /* effects until it dies; 0: it lives on */
    struct item retried[APPS][QUEUE];
    size_t n_retried[APPS];
    struct app_sim apps[APPS];
    struct instance_sim all[INSTANCES];
    struct happening heap[EVENTS];
    size_t n;
    uint64_t visits[LIFE_N][EV_N];
    uint64_t forks, deaths, commands, answers, stuck;
};

/* Chance. */

static uint32_t chance(struct sim *s, uint32_t below)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((((z ^ (z >> 31)) >> 32) * below) >> 32);
}

static bool percent(struct sim *s, uint32_t p)
{
    return chance(s, 100) < p;
}

#define PICK(s, ...)                                                                                         \
    pick((s), (const int64_t[]){ __VA_ARGS__ }, ARRAY_LEN(((const int64_t[]){ __VA_ARGS__ })))
static int64_t pick(struct sim *s, const int64_t *of, size_t n)
{
    return of[chance(s, (uint32_t)n)];
}

/* A time around `mean`, now and then far from it. */
static int64_t spell(struct sim *s, uint32_t mean)
{
    return chance(s, percent(s, 10) ? 8 * mean + 1 : 2 * mean + 1);
}

/* The queue of what is to happen: a binary heap. */

static bool is_before(const struct happening *a, const struct happening *b)
{
    return a->at != b->at ? a->at < b->at : a->rank < b->rank;
}

static void push(struct sim *s, struct happening h)
{
    if (s->n == EVENTS) {
        fprintf(stderr, "sim: the queue is full\n");
        abort();
    }
    h.rank = chance(s, UINT32_MAX);
    size_t i = s->n++;
    for (; i > 0 && is_before(&h, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = h;
}

static struct happening pop(struct sim *s)
{
    struct happening top = s->heap[0], last = s->heap[--s->n];
    size_t i = 0;
    for (size_t child = 1; child < s->n; child = 2 * i + 1) {
        if (child + 1 < s->n && is_before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!is_before(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}

static void later(struct sim *s, enum kind kind, int who, int64_t in_ms, uint32_t token)
{
    push(s, (struct happening){
                .at = s->now + in_ms, .token = token, .kind = (uint8_t)kind, .who = (uint8_t)who });
}

/* What happened to an instance lately. */

static void note(struct sim *s, struct instance_sim *in, enum word word, int a, int b, int c, int d)
{
    in->lines[in->n_lines++ % LINES] = (struct line){ s->step, s->now, word, a, b, c, d };
}

static void print_line(const struct line *l)
{
    printf("  step %-9" PRIu64 " %10" PRId64 " ms  ", l->step, l->at);
    switch (l->word) {
    case SAID_MOVE:
        printf("%s -> %s by %s", life_key((enum life)l->a), life_key((enum life)l->b),
               l->c == EV_N ? "nothing" : life_event_name((enum life_event)l->c));
        printf(" (%s)\n", cause_name((enum cause)l->d));
        return;
    case SAID_FORK:
        printf("child %d forked%s%s\n", l->a, l->b ? ", ignores SIGTERM" : "",
               l->c ? ", unkillable for now" : "");
        return;
    case SAID_NO_FORK:
        printf("the spawn failed\n");
        return;
    case SAID_FELLOW:
        printf("a descendant was forked%s\n", l->a ? "" : ", outside the group");
        return;
    case SAID_END:
        printf("%s ended, %s %d\n", l->a ? "the main process" : "a descendant", l->b ? "signal" : "code",
               l->b ? l->b : l->c);
        return;
    case SAID_SIGNAL:
        printf("the stop signal is sent\n");
        return;
    case SAID_KILL:
        printf("SIGKILL to %d processes\n", l->a);
        return;
    case SAID_LEFT:
        printf("swept: %d of it left\n", l->a);
        return;
    case SAID_COMMAND:
        printf("command %s%s\n", command_names[l->a], l->b ? ": nothing to do" : "");
        return;
    case SAID_DEATH:
        printf("the daemon is dead\n");
        return;
    case SAID_BIRTH:
        printf("another daemon: %s, child %d%s\n", life_key((enum life)l->a), l->b,
               l->c ? ", which has ended" : "");
        return;
    case SAID_MADE:
        printf("the instance is made\n");
        return;
    case SAID_DELETED:
        printf("the instance is deleted\n");
        return;
    default:
        printf("?\n");
    }
}

static struct app_sim *app_of(struct sim *s, const struct instance_sim *in)
{
    return &s->apps[in->number / PER_APP];
}

static const struct app_spec *spec_of(struct sim *s, const struct instance_sim *in)
{
    return app_of(s, in)->spec;
}

/* Processes. */

static struct proc *find_main(struct instance_sim *in)
{
    for (struct proc *p = in->procs; p < in->procs + PROCS; p++)
        if (p->is_main && (p->alive || p->zombie))
            return p;
    return NULL;
}

static struct proc *free_slot(struct instance_sim *in)
{
    for (struct proc *p = in->procs; p < in->procs + PROCS; p++)
        if (!p->alive && !p->zombie)
            return p;
    return NULL;
}

static void ends_in(struct sim *s, struct instance_sim *in, struct proc *p, int64_t ms, int signal, int code)
{
    push(s, (struct happening){ .at = s->now + ms,
                                .token = p->serial,
                                .kind = AT_END,
                                .who = (uint8_t)in->number,
                                .slot = (uint8_t)(p - in->procs),
                                .what = (uint8_t)(signal ? 128 + signal : code) });
}

static struct proc *process_new(struct sim *s, struct instance_sim *in, bool is_main)
{
    int temper = app_of(s, in)->temper;
    struct proc *p = free_slot(in);
    if (!p)
        return NULL;
    *p = (struct proc){ .alive = true, .is_main = is_main, .serial = ++s->serial, .parent = s->daemon };
    p->in_group = is_main || percent(s, 60);
    p->stubborn = percent(s, 5 + 20 * (uint32_t)temper);
    if (temper == 2 && percent(s, 12))
        p->mortal = s->now + chance(s, MORTAL_MOST);
    if (!is_main)
        laws_others(&in->laws, s->now, 1);
    return p;
}

/* A crash loop is likely, a long life possible. */
static void plan_life(struct sim *s, struct instance_sim *in, struct proc *p)
{
    int64_t end = PICK(s, 0, 5, 20, 120, 900, 1500, 6000, 31000, -1, -1);
    if (end >= 0)
        ends_in(s, in, p, end, percent(s, 20) ? 11 : 0, (int)PICK(s, 0, 0, 1, 1, 1, 3));
    if (percent(s, 70))
        later(s, AT_READY, in->number, spell(s, 400), p->serial);
    for (uint32_t i = chance(s, 4); i > 0; i--)
        later(s, AT_FORK, in->number, spell(s, 300), (uint32_t)in->children);
}

static void fork_fellow(struct sim *s, struct instance_sim *in)
{
    struct proc *p = process_new(s, in, false);
    if (!p)
        return;
    note(s, in, SAID_FELLOW, p->in_group, 0, 0, 0);
    if (percent(s, 50))
        ends_in(s, in, p, spell(s, 4000), 0, 0);
}

static void process_kill(struct sim *s, struct instance_sim *in, struct proc *p)
{
    if (p->dying)
        return;
    p->dying = true;
    ends_in(s, in, p, MAX(p->mortal - s->now, (int64_t)0), 9, 0);
}

static void process_term(struct sim *s, struct instance_sim *in, struct proc *p)
{
    bool politely = percent(s, 50);
    if (!p->stubborn)
        ends_in(s, in, p, MAX(p->mortal - s->now, spell(s, 60)), politely ? 0 : 15, 0);
}

/* The keeper reaps what has no other parent, and knows whose it was. */
static void keeper_reaps(struct sim *s, struct instance_sim *in, struct proc *p)
{
    p->zombie = false;
    if (in->keeper_child != in->children || in->has_status)
        return;
    in->has_status = true;
    in->status = p->end;
    in->status.known = !percent(s, 10);
}

static void hear_exit(struct sim *s, struct instance_sim *in)
{
    if (s->rule == RULE_LOST_EXIT && percent(s, 2))
        return;
    int64_t delay = chance(s, 3);
    later(s, AT_EXIT, in->number, delay, s->daemon);
    if (s->rule == RULE_EXIT_TWICE)
        later(s, AT_EXIT, in->number, delay, s->daemon);
}

static void process_ended(struct sim *s, struct instance_sim *in, struct proc *p, int what)
{
    p->alive = false;
    p->end = (struct exit_status){ .known = true };
    if (what > 128)
        p->end.signal = (uint8_t)(what - 128);
    else
        p->end.code = (uint8_t)what;
    note(s, in, SAID_END, p->is_main, p->end.signal, p->end.code, 0);
    if (!p->is_main) {
        laws_others(&in->laws, s->now, -1);
        return;
    }
    laws_main_ended(&in->laws, s->now, &p->end);
    p->zombie = true;
    if (s->down || p->parent != s->daemon)
        keeper_reaps(s, in, p);
    if (!s->down)
        hear_exit(s, in);
}

/* The daemon: what has an effect outside. It may be killed before each. */

static bool has_effect(struct sim *s)
{
    if (!s->dead && s->fuse && --s->fuse == 0)
        s->dead = true;
    return !s->dead;
}

static void put(struct sim *s, struct instance_sim *in, enum life_event ev, int tells)
{
    if (!has_effect(s))
        return;
    struct sight sight = { .ev = ev,
                           .life = in->now.life,
                           .cause = in->now.cause,
                           .child = in->now.child,
                           .tells = tells,
                           .deadline = in->now.deadline };
    if (in->put.life != in->now.life || tells)
        note(s, in, SAID_MOVE, (int)in->put.life, (int)in->now.life, (int)ev, (int)in->now.cause);
    in->put = in->now;
    if (in->keeper_child != in->now.child)
        in->has_status = false;
    in->keeper_child = in->now.child;
    laws_put(&in->laws, s->now, &sight);
}

static void timer_set(struct sim *s, struct instance_sim *in)
{
    in->timer = ++s->serial;
    later(s, AT_TIMER, in->number, MAX(in->now.deadline - s->now, (int64_t)0), in->timer);
}

static void timer_off(struct instance_sim *in)
{
    in->now.deadline = 0;
    in->timer = 0;
}

static void defer_spawn(struct sim *s, struct instance_sim *in)
{
    if (!in->spawn_due)
        later(s, AT_SPAWN, in->number, 0, s->daemon);
    in->spawn_due = true;
}

static void defer_sweep(struct sim *s, struct instance_sim *in)
{
    if (!in->sweep_due)
        later(s, AT_SWEEP, in->number, 0, s->daemon);
    in->sweep_due = true;
}

static void touch(struct sim *s, const struct instance_sim *in)
{
    later(s, AT_ADVANCE, in->number / PER_APP, 0, s->daemon);
}

/* What the last run left, as sweep.c does. */

static void clear_timer_set(struct sim *s, struct instance_sim *in, int64_t ms)
{
    in->clear_timer = ++s->serial;
    later(s, AT_TIMER, in->number, ms, in->clear_timer);
}

static void forget_clearing(struct instance_sim *in)
{
    in->clearing = false;
    in->clear_timer = 0;
    in->clear_forced_at = 0;
}

static void make_dirty(struct sim *s, struct instance_sim *in)
{
    if (in->clearing || !spec_of(s, in)->treekill)
        return;
    in->now.dirty = true;
    defer_sweep(s, in);
}

static void clear_due(struct sim *s, struct instance_sim *in)
{
    if (!in->clear_forced_at)
        in->clear_forced_at = s->now;
    clear_timer_set(s, in, SWEEP_STUCK_MS);
    defer_sweep(s, in);
}

/* The daemon: moving an instance, as instance.c does. */

static bool feed(struct sim *s, struct instance_sim *in, enum life_event ev, enum cause cause, int tells);

static void send_stop_signal(struct sim *s, struct instance_sim *in)
{
    const struct app_spec *spec = spec_of(s, in);
    struct proc *m = find_main(in);
    if (!in->now.child || !m || !m->alive || !has_effect(s))
        return;
    note(s, in, SAID_SIGNAL, 0, 0, 0, 0);
    for (struct proc *p = in->procs; p < in->procs + PROCS; p++)
        if (p->alive && (p == m || (spec->treekill && p->in_group))) {
            if (spec->kill_timeout == 0)
                process_kill(s, in, p);
            else
                process_term(s, in, p);
        }
}

static void begin_stop(struct sim *s, struct instance_sim *in)
{
    if (!in->now.signalled) {
        forget_clearing(in);
        in->now.dirty = false;
        send_stop_signal(s, in);
        in->now.signalled = true;
    }
    in->now.deadline = s->now + spec_of(s, in)->kill_timeout;
    timer_set(s, in);
    put(s, in, EV_N, 0);
    if (!in->now.child)
        defer_sweep(s, in);
}

static void use_force(struct sim *s, struct instance_sim *in)
{
    if (s->rule == RULE_NO_FORCE && percent(s, 5))
        return;
    if (in->now.forced_at && s->now - in->now.forced_at >= SWEEP_STUCK_MS) {
        s->stuck++;
        feed(s, in, EV_STUCK, CAUSE_UNKILLABLE, 0);
        if (s->rule != RULE_AS_STUCK_UNWATCHED)
            defer_sweep(s, in); /* who is left is waited for */
        return;
    }
    if (!in->now.forced_at)
        in->now.forced_at = s->now;
    in->now.deadline = s->now + SWEEP_STUCK_MS;
    timer_set(s, in);
    put(s, in, EV_N, 0);
    defer_sweep(s, in);
}

/* WAITING and ERRORED have no child, but something of an old life may be left: the table asks for a sweep,
 * and somebody must end that. */
static void look_what_is_left(struct sim *s, struct instance_sim *in)
{
    bool guarded = in->timer || in->now.child || !life_is_stopping(in->now.life);
    if (guarded || in->now.signalled || s->rule == RULE_AS_SWEEP_WITHOUT_END)
        defer_sweep(s, in);
    else
        begin_stop(s, in);
}

static void do_deeds(struct sim *s, struct instance_sim *in, unsigned deeds)
{
    if (deeds & DO_DELAY)
        timer_set(s, in);
    if ((deeds & DO_SPAWN) && in->now.dirty)
        make_dirty(s, in);
    if (deeds & DO_SPAWN)
        defer_spawn(s, in);
    if (deeds & DO_TERM)
        begin_stop(s, in);
    if (deeds & DO_KILL)
        use_force(s, in);
    if (deeds & DO_SWEEP)
        look_what_is_left(s, in);
}

static void enter(struct sim *s, struct instance_sim *in, struct move m, enum life_event ev, enum cause cause,
                  int tells)
{
    bool moved = in->now.life != m.to;
    in->now.life = m.to;
    in->now.cause = cause;
    if (!life_is_stopping(m.to)) {
        in->now.signalled = false;
        in->now.forced_at = 0;
        if (!in->now.dirty)
            in->leftover = 0;
    }
    if (moved && !tells && s->rule != RULE_AS_UNTOLD_END)
        tells = in->now.untold;
    if (moved || tells)
        in->now.untold = 0;
    put(s, in, ev, tells);
    if (moved)
        touch(s, in);
}

/* The table's answer, or a wrong one. */
static struct move next_move(struct sim *s, const struct instance_sim *in, enum life_event ev)
{
    enum life now = in->now.life;
    struct move m = life_next(now, ev);
    if (m.valid)
        s->visits[now][ev]++;
    if (s->rule == RULE_STOP_LOSES && now == LIFE_WAITING && ev == EV_STOP)
        m.valid = false;
    if (s->rule == RULE_AS_STOP_OF_STOPPED && now == LIFE_STOPPED && ev == EV_STOP)
        m.valid = false;
    if (s->rule == RULE_AS_SWEEP_WITHOUT_END && (now == LIFE_WAITING || now == LIFE_ERRORED) && ev == EV_STOP)
        m.deeds = DO_CALM | DO_SWEEP;
    if (s->rule == RULE_STUCK_SPAWNS && now == LIFE_STUCK && ev == EV_START)
        m = (struct move){ true, LIFE_STUCK, DO_SPAWN };
    return m;
}

static bool feed(struct sim *s, struct instance_sim *in, enum life_event ev, enum cause cause, int tells)
{
    struct move m = next_move(s, in, ev);
    if (!m.valid)
        return false;
    if (ev == EV_START || ev == EV_RESTART)
        in->now.commanded = cause == CAUSE_MANUAL;
    if (m.deeds & DO_CALM)
        timer_off(in);
    if ((ev == EV_START || ev == EV_RESTART) && m.to == LIFE_STARTING && in->children &&
        s->rule != RULE_AS_DIRT_FORGOTTEN)
        make_dirty(s, in);
    enter(s, in, m, ev, cause, tells);
    do_deeds(s, in, m.deeds);
    return true;
}

/* Policy's answer, or a wrong one. */
static enum life_event ask_policy(struct sim *s, struct instance_sim *in, const struct policy_exit *x,
                                  int64_t *delay)
{
    enum life_event ev = policy_judge(spec_of(s, in), &in->now.memory, x, delay);
    if (s->rule == RULE_IGNORE_MAX_RESTARTS && ev == EV_GIVE_UP) {
        *delay = 60000; /* late enough for every delay: the number alone is wrong */
        return EV_LATER;
    }
    if (s->rule == RULE_RESTART_SUCCESS && ev == EV_FINISHED)
        return EV_AGAIN;
    if (s->rule == RULE_NO_DELAY)
        *delay /= 2;
    return ev;
}

static void judge(struct sim *s, struct instance_sim *in, int child, bool not_ready)
{
    int64_t delay = 0;
    struct policy_exit x = { .not_ready = not_ready,
                             .signalled = !in->now.last_exit.known || in->now.last_exit.signal,
                             .code = in->now.last_exit.code,
                             .uptime = in->now.last_uptime };
    enum life_event ev = ask_policy(s, in, &x, &delay);
    if (ev == EV_AGAIN || ev == EV_LATER) {
        in->now.commanded = false;
        in->now.deadline = ev == EV_LATER ? s->now + delay : 0;
    }
    feed(s, in, ev, in->now.last_cause, child);
}

static enum cause cause_of(const struct exit_status *x)
{
    return !x->known ? CAUSE_UNKNOWN : x->signal ? CAUSE_SIGNAL : CAUSE_EXIT;
}

static void exited(struct sim *s, struct instance_sim *in, const struct exit_status *x)
{
    bool stopping = life_is_stopping(in->now.life) || in->now.life == LIFE_STUCK;
    int child = in->now.child;
    in->now.last_exit = *x;
    in->now.last_uptime = s->now - in->now.started;
    in->now.last_cause = stopping ? in->now.cause : cause_of(x);
    if (s->rule == RULE_WRONG_CAUSE && percent(s, 5))
        in->now.last_cause = CAUSE_WATCH;
    in->now.child = 0;
    if (stopping) {
        in->now.untold = child;
        feed(s, in, EV_EXITED, in->now.last_cause, 0);
    } else {
        make_dirty(s, in);
        judge(s, in, child, false);
    }
}

static void spawned(struct sim *s, struct instance_sim *in)
{
    const struct app_spec *spec = spec_of(s, in);
    if (!spec->wait_ready) {
        feed(s, in, EV_READY, in->now.cause, 0);
        return;
    }
    in->now.deadline = s->now + spec->listen_timeout;
    timer_set(s, in);
    put(s, in, EV_N, 0);
}

static void spawn_failed(struct sim *s, struct instance_sim *in)
{
    int64_t delay = 0;
    struct policy_exit x = { .spawn_failed = true, .commanded = in->now.commanded };
    note(s, in, SAID_NO_FORK, 0, 0, 0, 0);
    if (s->rule == RULE_ONLINE_WITHOUT_CHILD && percent(s, 5)) {
        feed(s, in, EV_READY, in->now.cause, 0);
        return;
    }
    enum life_event ev = ask_policy(s, in, &x, &delay);
    in->now.deadline = ev == EV_LATER ? s->now + delay : 0;
    feed(s, in, ev, CAUSE_SPAWN, 0);
}

static void gone(struct sim *s, struct instance_sim *in)
{
    in->now.dirty = false;
    if (in->now.life == LIFE_FAILING) {
        judge(s, in, in->now.untold, true);
        return;
    }
    if (in->now.life == LIFE_RESTARTING)
        in->now.memory = (struct policy_memory){ 0 };
    feed(s, in, EV_GONE, in->now.cause, in->now.untold);
}

/* The daemon: deferred work, as world.c, launch.c and sweep.c do. */

static void fork_main(struct sim *s, struct instance_sim *in)
{
    struct proc *p = has_effect(s) ? process_new(s, in, true) : NULL;
    if (!p)
        return;
    s->forks++;
    note(s, in, SAID_FORK, in->children + 1, p->stubborn, p->mortal != 0, 0);
    laws_forked(&in->laws, s->now, ++in->children);
    in->keeper_child = in->children; /* the child's own word */
    in->has_status = false;
    if (s->rule == RULE_UNKNOWN_CHILD)
        in->laws.kept_child = in->keeper_child = 0;
    plan_life(s, in, p);
}

static bool may_spawn(const struct sim *s, const struct instance_sim *in)
{
    enum life l = in->now.life;
    if (s->rule == RULE_STUCK_SPAWNS && l == LIFE_STUCK)
        return true;
    return l == LIFE_STARTING && !in->now.child && (!in->now.dirty || s->rule == RULE_AS_SPAWN_BESIDE);
}

static void spawn(struct sim *s, struct instance_sim *in)
{
    in->spawn_due = false;
    if (!may_spawn(s, in))
        return; /* a stop came between */
    if (percent(s, (uint32_t)app_of(s, in)->spawn_fails) || !free_slot(in)) {
        spawn_failed(s, in);
        return;
    }
    fork_main(s, in);
    in->now.child = in->children;
    in->now.started = s->now;
    spawned(s, in);
}

/* What is left in STUCK may have been forked under the last SIGKILL: it gets its own. */
static bool is_forced(const struct sim *s, const struct instance_sim *in)
{
    return in->now.forced_at || (in->now.life == LIFE_STUCK && s->rule != RULE_AS_STUCK_SPARES);
}

/* How many are left beside the main process; with force everybody is killed first. One of them is awaited. */
static int settle(struct sim *s, struct instance_sim *in)
{
    bool all = spec_of(s, in)->treekill, force = is_forced(s, in) && has_effect(s);
    int left = 0, killed = 0;
    in->leftover = 0;
    for (struct proc *p = in->procs; p < in->procs + PROCS; p++) {
        if (!p->alive || (!all && !p->is_main))
            continue;
        if (force) {
            process_kill(s, in, p);
            killed++;
        }
        if (!p->is_main) {
            in->leftover = p->serial;
            left++;
        }
    }
    if (killed)
        note(s, in, SAID_KILL, killed, 0, 0, 0);
    if (killed && percent(s, 4))
        fork_fellow(s, in); /* under our hands: nobody saw it yet */
    return left;
}

static void end_clearing(struct sim *s, struct instance_sim *in)
{
    forget_clearing(in);
    in->now.dirty = false;
    in->leftover = 0;
    if (in->now.life == LIFE_STARTING)
        defer_spawn(s, in);
}

/* It stays dirty: the next start looks again. One that is to start now is stuck. */
static void give_up_clearing(struct sim *s, struct instance_sim *in)
{
    bool starts = in->now.life == LIFE_STARTING;
    if (s->rule == RULE_AS_DIRT_FORGOTTEN) {
        end_clearing(s, in);
        return;
    }
    if (starts)
        in->now.forced_at = in->clear_forced_at;
    forget_clearing(in);
    if (starts)
        feed(s, in, EV_STUCK, CAUSE_UNKILLABLE, 0);
}

static void clear(struct sim *s, struct instance_sim *in)
{
    int left = 0;
    bool effect = has_effect(s);
    in->leftover = 0;
    for (struct proc *p = in->procs; p < in->procs + PROCS; p++) {
        if (!p->alive)
            continue;
        if (effect && (in->clear_forced_at || spec_of(s, in)->kill_timeout == 0))
            process_kill(s, in, p);
        else if (effect && !in->clearing)
            process_term(s, in, p);
        in->leftover = p->serial;
        left++;
    }
    note(s, in, SAID_LEFT, left, 0, 0, 0);
    if (!left) {
        end_clearing(s, in);
    } else if (in->clear_forced_at && s->now - in->clear_forced_at >= SWEEP_STUCK_MS) {
        give_up_clearing(s, in);
    } else if (!in->clearing) {
        in->clearing = true;
        clear_timer_set(s, in, spec_of(s, in)->kill_timeout);
    }
}

static bool is_to_clear(const struct instance_sim *in)
{
    return in->now.dirty && !in->now.child && !life_is_stopping(in->now.life) && in->now.life != LIFE_STUCK;
}

static void sweep_one(struct sim *s, struct instance_sim *in)
{
    in->sweep_due = false;
    if (!in->now.exists)
        return;
    if (is_to_clear(in)) {
        clear(s, in);
        return;
    }
    int left = settle(s, in);
    note(s, in, SAID_LEFT, left, 0, 0, 0);
    if (s->rule == RULE_LEAVE_SOME && in->now.life == LIFE_STOPPING && percent(s, 20))
        left = 0;
    if (!left && !in->now.child)
        gone(s, in);
}

static void reap(struct sim *s, struct instance_sim *in)
{
    struct proc *m = find_main(in);
    struct exit_status x;
    if (in->has_status)
        x = in->status;
    else if (m && m->zombie)
        x = m->end;
    else if (s->rule == RULE_EXIT_TWICE && !in->now.child)
        x = in->now.last_exit;
    else
        return;
    if (s->rule == RULE_EXIT_TWICE && !in->now.child)
        in->now.child = in->children;
    if (!in->now.child)
        return;
    if (m && spec_of(s, in)->treekill && !life_is_stopping(in->now.life) && has_effect(s))
        for (struct proc *p = in->procs; p < in->procs + PROCS; p++)
            if (p->alive && p->in_group && !p->is_main)
                process_kill(s, in, p);
    exited(s, in, &x);
    if (m && has_effect(s))
        m->zombie = false;
}

static void timer_fired(struct sim *s, struct instance_sim *in)
{
    enum cause cause = in->now.life == LIFE_STARTING ? CAUSE_NOT_READY : in->now.cause;
    if (s->rule == RULE_AS_WAITING_CAUSE && !life_is_stopping(in->now.life))
        cause = CAUSE_NOT_READY;
    in->timer = 0;
    in->now.deadline = 0;
    feed(s, in, EV_TIMEOUT, cause, 0);
}

/* The daemon: one app's queue of commands, as op.c does. */

static void instance_made(struct sim *s, struct instance_sim *in)
{
    const struct app_spec *spec = spec_of(s, in);
    in->now = in->put = (struct self){ .exists = true, .life = LIFE_STOPPED };
    in->keeper_child = in->children = 0;
    in->has_status = in->spawn_due = in->sweep_due = false;
    in->timer = in->leftover = 0;
    forget_clearing(in);
    in->n_lines = 0;
    memset(in->procs, 0, sizeof(in->procs));
    laws_made(&in->laws, s->now, spec);
    note(s, in, SAID_MADE, 0, 0, 0, 0);
}

static void spec_shuffle(struct sim *s, struct app_spec *p)
{
    p->autorestart = (enum autorestart)PICK(s, AUTORESTART_ON_FAILURE, AUTORESTART_ON_FAILURE,
                                            AUTORESTART_ALWAYS, AUTORESTART_ALWAYS, AUTORESTART_NEVER);
    memset(&p->stop_exit_codes, 0, sizeof(p->stop_exit_codes));
    p->stop_exit_codes.bits[0] = (uint64_t)(p->autorestart != AUTORESTART_ALWAYS) | (percent(s, 20) ? 8 : 0);
    p->max_restarts = PICK(s, -1, 0, 1, 2, 3, 15, 15);
    p->min_uptime = PICK(s, 0, 100, 1000, 1000, 5000);
    p->restart_delay = PICK(s, 0, 0, 0, 100, 2000);
    p->exp_backoff_restart_delay = PICK(s, 0, 0, 100, 1000);
    p->kill_timeout = PICK(s, 0, 50, 1600, 5000);
    p->wait_ready = percent(s, 50);
    p->listen_timeout = PICK(s, 100, 1000, 3000);
    p->treekill = percent(s, 85);
}

static void app_made(struct sim *s, struct app_sim *a)
{
    int first = (int)(a - s->apps) * PER_APP;
    uint32_t n = 1 + chance(s, PER_APP);
    if (!a->spec)
        a->spec = app_spec_new();
    spec_shuffle(s, a->spec);
    a->exists = true;
    a->spawn_fails = (int)PICK(s, 0, 0, 5, 30);
    a->temper = (int)PICK(s, 0, 1, 2);
    for (int i = first; i < first + (int)n; i++)
        instance_made(s, &s->all[i]);
}

/* The instances of an app, for loops. */
#define each_instance(in, s, a)                                                                              \
    for (struct instance_sim *in = (s)->all + ((a) - (s)->apps) * PER_APP, *end_ = in + PER_APP; in < end_;  \
         in++)                                                                                               \
        if (in->now.exists)

static void begin(struct sim *s, struct app_sim *a, enum command c)
{
    static const enum life_event events[] = { EV_START, EV_STOP, EV_RESTART, EV_STOP };
    each_instance(in, s, a)
    {
        bool valid = feed(s, in, events[c], CAUSE_MANUAL, 0);
        note(s, in, SAID_COMMAND, (int)c, !valid, 0, 0);
        if (events[c] == EV_STOP && !s->dead)
            laws_stop_told(&in->laws);
    }
}

static bool is_started(const struct instance_sim *in)
{
    return !life_is_stopping(in->now.life) && (in->now.life != LIFE_STARTING || in->now.child);
}

static bool is_complete(struct sim *s, const struct app_sim *a, enum command c)
{
    bool stop = c == CMD_STOP || c == CMD_DELETE;
    each_instance(in, s, a) if (stop ? !life_is_settled(in->now.life) : !is_started(in)) return false;
    return true;
}

static void answer(struct sim *s, struct app_sim *a, enum command c)
{
    if (!has_effect(s))
        return;
    s->answers++;
    if (c == CMD_STOP || c == CMD_DELETE)
        each_instance(in, s, a) laws_stop_answered(&in->laws, s->rule == RULE_AS_STOP_OF_STOPPED);
}

static void instance_deleted(struct sim *s, struct instance_sim *in)
{
    if (!has_effect(s)) {
        in->now.exists = false;
        return;
    }
    note(s, in, SAID_DELETED, 0, 0, 0, 0);
    laws_deleted(&in->laws);
    in->now.exists = in->put.exists = false;
    in->spawn_due = in->sweep_due = false;
    in->timer = in->leftover = 0;
    forget_clearing(in);
    memset(in->procs, 0, sizeof(in->procs)); /* what a finished life left is nobody's now */
}

/* Nothing that lives is forgotten: an app with a stuck instance stays. */
static void delete_instances(struct sim *s, struct app_sim *a)
{
    bool stuck = false;
    each_instance(in, s, a) stuck = stuck || in->now.life == LIFE_STUCK;
    if (stuck && s->rule != RULE_AS_DELETE_STUCK)
        return;
    each_instance(in, s, a) instance_deleted(s, in);
    a->exists = s->dead;
}

static void queue_remove(struct app_sim *a, size_t i)
{
    memmove(&a->queue[i], &a->queue[i + 1], (--a->n - i) * sizeof(a->queue[0]));
}

static void advance(struct sim *s, struct app_sim *a)
{
    while (a->n && a->exists) {
        enum command c = a->queue[0].command;
        if (!a->queue[0].begun)
            begin(s, a, c);
        for (size_t i = 0; i < a->n && a->queue[i].command == c; i++)
            a->queue[i].begun = true;
        if (s->dead || (!is_complete(s, a, c) && s->rule != RULE_FORGET_CHILD))
            return;
        while (a->n && a->queue[0].begun && a->queue[0].command == c) {
            answer(s, a, c);
            queue_remove(a, 0);
        }
        if (c == CMD_DELETE)
            delete_instances(s, a);
    }
    if (!s->dead && !a->exists)
        a->n = 0;
}

static void command(struct sim *s, struct app_sim *a, enum command c)
{
    bool ends = c == CMD_STOP || c == CMD_DELETE;
    s->commands++;
    for (size_t i = a->n; ends && i-- > 0;)
        if (a->queue[i].command == CMD_START || a->queue[i].command == CMD_RESTART)
            queue_remove(a, i);
    if (!a->exists) {
        if (c != CMD_START)
            return;
        app_made(s, a);
    }
    if (a->n < QUEUE)
        a->queue[a->n++] = (struct item){ .command = c };
    later(s, AT_ADVANCE, (int)(a - s->apps), 0, s->daemon);
}

/* The daemon's death, and the next one's beginning, as adopt.c and instance_resume() do. */

static void lose_queue(struct sim *s, size_t app)
{
    struct app_sim *a = &s->apps[app];
    s->n_retried[app] = 0;
    for (size_t i = 0; i < a->n; i++)
        if (percent(s, 60)) /* the others' clients are gone too */
            s->retried[app][s->n_retried[app]++] = a->queue[i];
    a->n = 0;
}

static void daemon_dies(struct sim *s)
{
    s->dead = s->down = true;
    s->fuse = 0;
    s->deaths++;
    for (struct instance_sim *in = s->all; in < s->all + INSTANCES; in++) {
        struct proc *m = find_main(in);
        in->timer = in->leftover = 0;
        forget_clearing(in);
        in->spawn_due = in->sweep_due = false;
        if (!in->put.exists)
            continue;
        note(s, in, SAID_DEATH, 0, 0, 0, 0);
        if (m && m->zombie)
            keeper_reaps(s, in, m);
    }
    for (size_t i = 0; i < APPS; i++)
        lose_queue(s, i);
    later(s, AT_BIRTH, 0, spell(s, 40), 0);
}

static void adopt_one(struct sim *s, struct instance_sim *in)
{
    in->now = in->put;
    if (!in->now.exists)
        return;
    note(s, in, SAID_BIRTH, (int)in->now.life, in->keeper_child, in->has_status, 0);
    laws_reborn(&in->laws, s->now);
    if (in->keeper_child != in->now.child) {
        in->now.child = in->keeper_child; /* its own word is newer than the text */
        in->now.started = s->now;
    }
    if (s->rule == RULE_AS_UNTOLD_END)
        in->now.untold = 0;
}

static void resume_stop(struct sim *s, struct instance_sim *in)
{
    if (!in->now.signalled) {
        begin_stop(s, in);
        return;
    }
    timer_set(s, in);
    defer_sweep(s, in);
}

static void resume_wrongly(struct sim *s, struct instance_sim *in)
{
    if (s->rule == RULE_ERRORED_COMES_BACK && in->now.life == LIFE_ERRORED)
        enter(s, in, (struct move){ true, LIFE_STARTING, 0 }, EV_N, in->now.cause, 0);
    if (s->rule == RULE_TWO_CHILDREN && in->now.life == LIFE_ONLINE)
        fork_main(s, in);
    if (s->rule == RULE_SPAWN_WHILE_STOPPING && in->now.life == LIFE_RESTARTING && !in->now.child)
        fork_main(s, in);
}

static void resume(struct sim *s, struct instance_sim *in)
{
    enum life l = in->now.life;
    resume_wrongly(s, in);
    if (in->now.dirty && !in->now.child)
        make_dirty(s, in);
    if (life_is_stopping(l))
        resume_stop(s, in);
    else if (l == LIFE_WAITING)
        timer_set(s, in);
    else if (l == LIFE_STARTING && !in->now.child)
        defer_spawn(s, in);
    else if (l == LIFE_STARTING && spec_of(s, in)->wait_ready && in->now.deadline)
        timer_set(s, in);
    else if (l == LIFE_STARTING)
        spawned(s, in);
    else if (l == LIFE_STUCK && s->rule != RULE_AS_STUCK_UNWATCHED)
        defer_sweep(s, in);
}

static void daemon_begins(struct sim *s)
{
    s->dead = s->down = false;
    s->daemon++;
    for (struct instance_sim *in = s->all; in < s->all + INSTANCES; in++)
        adopt_one(s, in);
    for (struct instance_sim *in = s->all; in < s->all + INSTANCES; in++)
        if (in->now.exists && in->now.child && in->has_status)
            exited(s, in, &in->status);
    for (struct instance_sim *in = s->all; in < s->all + INSTANCES; in++)
        if (in->now.exists)
            resume(s, in);
    for (size_t i = 0; i < APPS; i++) {
        bool any = false;
        each_instance(in, s, &s->apps[i]) any = true;
        s->apps[i].exists = any;
        if (s->n_retried[i])
            later(s, AT_RETRY, (int)i, spell(s, RETRY_MS), s->daemon);
    }
}

/* What happens. False: it was stale, and nothing did. */

static void process_end_noticed(struct sim *s, struct instance_sim *in, uint32_t serial)
{
    if (in->leftover == serial && !s->down)
        defer_sweep(s, in);
}

static bool on_end(struct sim *s, struct instance_sim *in, const struct happening *h)
{
    struct proc *p = &in->procs[h->slot];
    if (!p->alive || p->serial != h->token)
        return false;
    if (p->mortal > s->now && h->what > 128) { /* its own crash waits as well */
        ends_in(s, in, p, p->mortal - s->now, h->what - 128, 0);
        return false;
    }
    process_ended(s, in, p, h->what);
    process_end_noticed(s, in, h->token);
    return true;
}

static bool on_fork(struct sim *s, struct instance_sim *in, uint32_t child)
{
    bool any = false;
    for (struct proc *p = in->procs; p < in->procs + PROCS - 1; p++)
        any = any || (p->alive && !p->dying);
    if (!any || (uint32_t)in->children != child || !free_slot(in))
        return false;
    fork_fellow(s, in);
    if (percent(s, 30))
        later(s, AT_FORK, in->number, spell(s, 1000), child);
    return true;
}

static bool on_ready(struct sim *s, struct instance_sim *in, uint32_t serial)
{
    struct proc *m = find_main(in);
    if (!m || !m->alive || m->serial != serial)
        return false;
    if (s->down) { /* it waits in the socket */
        later(s, AT_READY, in->number, 20, serial);
        return false;
    }
    if (spec_of(s, in)->wait_ready && in->now.child && in->now.life == LIFE_STARTING)
        feed(s, in, EV_READY, in->now.cause, 0);
    return true;
}

static bool on_disturb(struct sim *s, struct instance_sim *in)
{
    enum cause cause = (enum cause)PICK(s, CAUSE_MEMORY, CAUSE_WATCH, CAUSE_CRON);
    bool meant = in->now.life == LIFE_ONLINE;
    later(s, AT_DISTURB, in->number, spell(s, 8000), 0);
    if (s->rule == RULE_MEMORY_BEATS_STOP)
        meant = in->now.child;
    if (s->down || !in->now.exists || !meant)
        return false;
    feed(s, in, EV_RESTART, cause, 0);
    return true;
}

static bool on_command(struct sim *s, struct app_sim *a)
{
    static const enum command commands[] = { CMD_START,   CMD_START,   CMD_START,   CMD_START,
                                             CMD_STOP,    CMD_STOP,    CMD_STOP,    CMD_STOP,
                                             CMD_RESTART, CMD_RESTART, CMD_RESTART, CMD_DELETE };
    enum command c = commands[chance(s, ARRAY_LEN(commands))];
    later(s, AT_COMMAND, (int)(a - s->apps), percent(s, 40) ? chance(s, 60) : spell(s, 4000), 0);
    if (s->down)
        return false;
    command(s, a, c);
    return true;
}

static bool on_retry(struct sim *s, size_t app)
{
    for (size_t i = 0; i < s->n_retried[app]; i++)
        command(s, &s->apps[app], s->retried[app][i].command);
    s->n_retried[app] = 0;
    return true;
}

static bool on_death(struct sim *s)
{
    later(s, AT_DEATH, 0, spell(s, 5000), 0);
    if (s->down)
        return false;
    if (percent(s, 30))
        s->dead = true;
    else
        s->fuse = 1 + (int)chance(s, 6);
    return true;
}

/* The daemon's own. */
static bool on_daemon(struct sim *s, const struct happening *h)
{
    struct instance_sim *in = &s->all[h->who];
    if (s->down || h->token != s->daemon)
        return false;
    switch (h->kind) {
    case AT_SPAWN:
        if (in->spawn_due)
            spawn(s, in);
        break;
    case AT_SWEEP:
        if (in->sweep_due)
            sweep_one(s, in);
        break;
    case AT_EXIT:
        if (in->now.exists)
            reap(s, in);
        break;
    case AT_ADVANCE:
        advance(s, &s->apps[h->who]);
        break;
    default:
        on_retry(s, h->who);
    }
    return true;
}

static bool happen(struct sim *s, const struct happening *h)
{
    struct instance_sim *in = &s->all[h->who];
    switch ((enum kind)h->kind) {
    case AT_TIMER:
        if (!s->down && h->token == in->clear_timer) {
            clear_due(s, in);
            return true;
        }
        if (s->down || in->timer != h->token)
            return false;
        timer_fired(s, in);
        return true;
    case AT_END:
        return on_end(s, in, h);
    case AT_FORK:
        return on_fork(s, in, h->token);
    case AT_READY:
        return on_ready(s, in, h->token);
    case AT_DISTURB:
        return on_disturb(s, in);
    case AT_COMMAND:
        return on_command(s, &s->apps[h->who]);
    case AT_DEATH:
        return on_death(s);
    case AT_BIRTH:
        daemon_begins(s);
        return true;
    default:
        return on_daemon(s, h);
    }
}

/* Running. */

static void sim_init(struct sim *s, uint64_t seed, enum rule rule)
{
    memset(s, 0, sizeof(*s));
    s->seed = s->random = seed;
    s->rule = rule;
    s->now = 1000;
    s->daemon = 1;
    for (int i = 0; i < INSTANCES; i++) {
        s->all[i].number = i;
        later(s, AT_DISTURB, i, spell(s, 8000), 0);
    }
    for (int i = 0; i < APPS; i++)
        later(s, AT_COMMAND, i, spell(s, 100), 0);
    later(s, AT_DEATH, 0, spell(s, 5000), 0);
}

static void sim_done(struct sim *s)
{
    for (size_t i = 0; i < APPS; i++)
        s->apps[i].spec = app_spec_free(s->apps[i].spec);
}

static struct instance_sim *find_broken(struct sim *s)
{
    for (struct instance_sim *in = s->all; in < s->all + INSTANCES; in++)
        if (in->laws.spec && laws_check(&in->laws, s->now) != LAW_NONE)
            return in;
    return NULL;
}

/* NULL: all laws held for so many steps. */
static struct instance_sim *sim_run(struct sim *s, uint64_t steps)
{
    while (s->step < steps) {
        struct happening h = pop(s);
        s->now = h.at;
        if (!happen(s, &h))
            continue;
        s->step++;
        struct instance_sim *in = find_broken(s);
        if (in)
            return in;
        if (s->dead && !s->down)
            daemon_dies(s);
    }
    return NULL;
}

static void print_broken(const struct sim *s, const struct instance_sim *in)
{
    printf("law broken: %s: %s\nseed %" PRIu64 ", step %" PRIu64 ", instance %d of app %d\n",
           law_name(in->laws.broken), law_text(in->laws.broken), s->seed, s->step, in->number % PER_APP,
           in->number / PER_APP);
    for (size_t i = in->n_lines > LINES ? in->n_lines - LINES : 0; i < in->n_lines; i++)
        print_line(&in->lines[i % LINES]);
}

/* How many valid cells of the table were not visited. */
static int count_cells(const struct sim *s)
{
    int valid = 0, visited = 0, wrong = 0;
    for (enum life l = 0; l < LIFE_N; l++)
        for (enum life_event ev = 0; ev < EV_N; ev++) {
            if (!life_next(l, ev).valid)
                continue;
            valid += !is_out_of_reach(l, ev);
            visited += s->visits[l][ev] && !is_out_of_reach(l, ev);
            if (!s->visits[l][ev] == is_out_of_reach(l, ev))
                continue;
            printf("cell %s + %s: %" PRIu64 " visits\n", life_key(l), life_event_name(ev), s->visits[l][ev]);
            wrong++;
        }
    printf("%d of %d cells visited\n", visited, valid);
    return wrong;
}

static int tell_totals(int passed, int failed)
{
    printf("%d passed, %d failed\n", passed, failed);
    printf("[  PASSED  ] %d test(s).\n", passed); /* as cmocka says it, for scripts/check */
    if (failed)
        printf("[  FAILED  ] sim: %d test(s), listed below:\n", failed);
    return failed != 0;
}

static int run(struct sim *s, uint64_t steps, uint64_t seed, enum rule rule)
{
    printf("seed %" PRIu64 ", %" PRIu64 " steps%s%s\n", seed, steps, rule ? ", broken: " : "",
           rule ? rules[rule].name : "");
    fflush(stdout);
    sim_init(s, seed, rule);
    struct instance_sim *in = sim_run(s, steps);
    printf("%" PRIu64 " steps, %" PRId64 " s of virtual time: %" PRIu64 " forks, %" PRIu64
           " commands, %" PRIu64 " answers, %" PRIu64 " daemon deaths, %" PRIu64 " stuck\n",
           s->step, s->now / 1000, s->forks, s->commands, s->answers, s->deaths, s->stuck);
    if (in)
        print_broken(s, in);
    int missed = in ? 0 : count_cells(s);
    int failed = (in != NULL) + (missed != 0);
    return tell_totals(LAW_N - 1 + 1 - failed, failed);
}

static int self_test(struct sim *s, uint64_t steps, uint64_t seed)
{
    int passed = 0, failed = 0;
    printf("seed %" PRIu64 ", at most %" PRIu64 " steps each\n", seed, steps);
    for (enum rule r = RULE_NONE + 1; r < RULE_N; r++) {
        sim_init(s, seed, r);
        struct instance_sim *in = sim_run(s, steps);
        enum law found = in ? in->laws.broken : LAW_NONE;
        bool good = found == rules[r].law;
        printf("%s %-22s %s at step %" PRIu64 "\n", good ? "ok  " : "FAIL", rules[r].name,
               found ? law_name(found) : "not found", s->step);
        if (in && !good)
            print_broken(s, in);
        passed += good;
        failed += !good;
        sim_done(s);
    }
    return tell_totals(passed, failed);
}

static int usage(void)
{
    fprintf(stderr, "usage: sim [--steps N] [--seed S] [--break RULE]\n       sim --self-test\nrules:");
    for (enum rule r = RULE_NONE + 1; r < RULE_N; r++)
        fprintf(stderr, " %s", rules[r].name);
    fprintf(stderr, "\n");
    return 2;
}

static enum rule rule_find(const char *name)
{
    for (enum rule r = RULE_NONE + 1; r < RULE_N; r++)
        if (strcmp(rules[r].name, name) == 0)
            return r;
    return RULE_N;
}

int main(int argc, char **argv)
{
    static struct sim s;
    uint64_t steps = 200000, seed = 1;
    enum rule rule = RULE_NONE;
    bool self = false;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--self-test") == 0)
            self = true;
        else if (more && strcmp(argv[i], "--steps") == 0)
            steps = strtoull(argv[++i], NULL, 10);
        else if (more && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
        else if (more && strcmp(argv[i], "--break") == 0)
            rule = rule_find(argv[++i]);
        else
            return usage();
    }
    if (rule == RULE_N)
        return usage();
    if (self)
        return self_test(&s, steps, seed);
    int result = run(&s, steps, seed, rule);
    sim_done(&s);
    return result;
}
