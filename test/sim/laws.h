/* test/sim/laws.h: what must hold for an instance whatever happens, as named checks.
 *
 * The laws know nothing of how the daemon works. They see what really happens (a child was forked, a process
 * ended), what the daemon says (a put: the entry as the keeper now has it) and what it answers. From that
 * they keep a record of their own, per instance, and tell the first law that is broken. What policy allows is
 * worked out here a second time, from the settings alone. */
#pragma once
#include "app/app.h"

enum law {
    LAW_NONE,
    LAW_ONE_CHILD,      /* at most one living main process */
    LAW_HAS_ENTRY,      /* no child that the keeper does not know */
    LAW_ONLINE_CHILD,   /* no `online` without a child */
    LAW_NOTHING_LEFT,   /* after a stop is answered nothing of the instance lives */
    LAW_STOP_WINS,      /* over a pending start, restart, backoff, memory, watch, cron */
    LAW_SPAWN_IN_START, /* a child is made while STARTING, never else */
    LAW_STUCK_ALONE,    /* a STUCK instance never gets a second child */
    LAW_SETTLED_RESTS,  /* stopped, errored, stuck: left by a command alone */
    LAW_EXIT_TOLD_ONCE, /* every exit belongs to exactly one transition */
    LAW_EXIT_ANSWERED,  /* and to one that comes soon */
    LAW_CAUSE_TRUE,     /* a transition says why, and truly so */
    LAW_RESTARTS,       /* no automatic restart that policy does not allow */
    LAW_DELAY,          /* none before its time */
    LAW_RUN_ALONE,      /* a child is made when nothing of the last run lives */
    LAW_MOVES_ON,       /* a passing state passes: a stop, a start, a wait have an end */
    LAW_N
};
const char *law_name(enum law l);
const char *law_text(enum law l);

/* A put: the event that led to it (EV_N: none, a field changed) and the entry as it now is. */
struct sight {
    enum life_event ev;
    enum life life;
    enum cause cause;
    int child; /* its number, counted per instance from 1; 0: none */
    int tells; /* the child whose end this transition tells; 0: none */
    int64_t deadline;
};

struct record {
    const struct app_spec *spec;
    enum law broken; /* the first; stays */

    bool exists; /* the entry */
    struct sight put;
    int64_t since;      /* put.life was entered, or its child forked */
    int64_t stop_since; /* the first of the stopping states was entered */
    int rebirths;       /* daemons that came since then */
    bool adopted;       /* the child was forked by a daemon that is dead */
    int kept_child;     /* as the keeper knows: by put, or by the child's own word */

    int mains, others; /* living processes */
    int child;         /* the last one forked */
    int64_t forked_at;
    int dead_child, told_child; /* the last main process that ended; that was told */
    int64_t died_at;
    struct exit_status end;
    int64_t born_at; /* the last descendant */
    int64_t empty_since;

    bool stop_wanted, stop_took, stop_answered;
    enum cause why; /* what the present life or wait is owed to */
    bool commanded;
    int64_t row, backoff; /* policy, told again */
    int64_t due;          /* the automatic restart may not come before; 0: none is pending */
};

/* Nothing is unkillable for longer, ms. */
enum { MORTAL_MOST = 15000 };

/* What really happens. */
void laws_forked(struct record *r, int64_t now, int child);
void laws_main_ended(struct record *r, int64_t now, const struct exit_status *how);
void laws_others(struct record *r, int64_t now, int more);

/* What the daemon says. */
void laws_made(struct record *r, int64_t now, const struct app_spec *spec);
void laws_put(struct record *r, int64_t now, const struct sight *s);
void laws_deleted(struct record *r);
void laws_reborn(struct record *r, int64_t now);
void laws_stop_told(struct record *r);               /* a person's stop has reached the instance */
void laws_stop_answered(struct record *r, bool all); /* all: one that found nothing to do too */

/* After every step. */
enum law laws_check(struct record *r, int64_t now);
