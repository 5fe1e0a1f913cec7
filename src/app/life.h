/* src/app/life.h: the life of an instance as one table: (state, event) -> (state, deeds). Pure: no clock, no
 * system call, nothing remembered. What has effects is in instance.c; when to start again is policy.c's.
 *
 * The story. A START makes a STOPPED instance STARTING, which spawns; READY makes it ONLINE. When its child
 * exits unasked, policy answers with one of four events: AGAIN (spawn now), LATER (wait, then spawn),
 * FINISHED (that was success, or no restart is wanted) or GIVE_UP. A STOP or RESTART sends the stop signal
 * and waits in STOPPING or RESTARTING until the child has EXITED and nothing of its tree is left (GONE);
 * TIMEOUT makes it use force. A child that is not ready in time is stopped the same way, in FAILING, and then
 * judged like an exit. A tree that survives SIGKILL makes the instance STUCK: nothing is spawned beside it.
 */
#pragma once
#include <stdbool.h>

#include "base/def.h"

enum life {
    LIFE_STOPPED,
    LIFE_STARTING,
    LIFE_ONLINE,
    LIFE_STOPPING,   /* to be STOPPED */
    LIFE_RESTARTING, /* to be STARTING; people see "stopping" */
    LIFE_FAILING,    /* was not ready in time; people see "stopping" */
    LIFE_WAITING,    /* to be STARTING at a known time */
    LIFE_ERRORED,
    LIFE_STUCK, /* unkillable; people see "errored" */
    LIFE_N
};

enum life_event {
    EV_START,
    EV_STOP,
    EV_RESTART,
    EV_READY,   /* exec succeeded, or the app said so if it is asked to */
    EV_TIMEOUT, /* the time of the state is over: restart due, ready too late, grace over */
    EV_EXITED,  /* the main process, while it was being stopped */
    EV_GONE,    /* nothing of the tree is left */
    EV_STUCK,   /* SIGKILL was sent long ago and something is left */
    EV_AGAIN,   /* the four answers of policy to an exit or a failed spawn */
    EV_LATER,
    EV_FINISHED,
    EV_GIVE_UP,
    EV_N
};

enum deed {
    DO_SPAWN = 1,
    DO_DELAY = 2, /* start the timer of the next restart */
    DO_CALM = 4,  /* stop the timer */
    DO_TERM = 8,  /* begin the stop path: signal, timer, sweep */
    DO_KILL = 16, /* force */
    DO_SWEEP = 32 /* look whether anything is left */
};

struct move {
    bool valid;
    enum life to;
    unsigned deeds;
};

struct move life_next(enum life now, enum life_event ev); /* !valid: nothing to do */
const char *life_name(enum life l);                       /* as people see it */
const char *life_key(enum life l);                        /* as entries keep it: one name each */
bool life_from_key(const char *key, enum life *out);
const char *life_event_name(enum life_event ev);
bool life_is_settled(enum life l); /* nothing will happen by itself: STOPPED ERRORED STUCK */
bool life_is_stopping(enum life l);
