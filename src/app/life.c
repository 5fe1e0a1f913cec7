#include "app/life.h"

#include <string.h>

#define TO(state, deeds_)                                                                                    \
    {                                                                                                        \
        true, LIFE_##state, (deeds_)                                                                         \
    }

/* An empty cell: nothing to do. */
static const struct move moves[LIFE_N][EV_N] = {
    [LIFE_STOPPED] = {
        [EV_START]    = TO(STARTING, DO_SPAWN),
        [EV_RESTART]  = TO(STARTING, DO_SPAWN),
        [EV_STOP]     = TO(STOPPING, DO_TERM), /* what an old life left behind goes */
    },
    [LIFE_STARTING] = {
        [EV_READY]    = TO(ONLINE, DO_CALM),
        [EV_STOP]     = TO(STOPPING, DO_CALM | DO_TERM),
        [EV_RESTART]  = TO(RESTARTING, DO_CALM | DO_TERM),
        [EV_TIMEOUT]  = TO(FAILING, DO_TERM),
        [EV_AGAIN]    = TO(STARTING, DO_CALM | DO_SPAWN),
        [EV_LATER]    = TO(WAITING, DO_DELAY),
        [EV_FINISHED] = TO(STOPPED, DO_CALM),
        [EV_GIVE_UP]  = TO(ERRORED, DO_CALM),
        [EV_STUCK]    = TO(STUCK, DO_CALM | DO_SWEEP), /* what the last run left cannot be ended */
    },
    [LIFE_ONLINE] = {
        [EV_STOP]     = TO(STOPPING, DO_TERM),
        [EV_RESTART]  = TO(RESTARTING, DO_TERM),
        [EV_AGAIN]    = TO(STARTING, DO_SPAWN),
        [EV_LATER]    = TO(WAITING, DO_DELAY),
        [EV_FINISHED] = TO(STOPPED, 0),
        [EV_GIVE_UP]  = TO(ERRORED, 0),
    },
    [LIFE_STOPPING] = {
        [EV_START]    = TO(RESTARTING, 0),
        [EV_RESTART]  = TO(RESTARTING, 0),
        [EV_TIMEOUT]  = TO(STOPPING, DO_KILL),
        [EV_EXITED]   = TO(STOPPING, DO_SWEEP),
        [EV_GONE]     = TO(STOPPED, DO_CALM),
        [EV_STUCK]    = TO(STUCK, DO_CALM | DO_SWEEP),
    },
    [LIFE_RESTARTING] = {
        [EV_STOP]     = TO(STOPPING, 0),
        [EV_TIMEOUT]  = TO(RESTARTING, DO_KILL),
        [EV_EXITED]   = TO(RESTARTING, DO_SWEEP),
        [EV_GONE]     = TO(STARTING, DO_CALM | DO_SPAWN),
        [EV_STUCK]    = TO(STUCK, DO_CALM | DO_SWEEP),
    },
    [LIFE_FAILING] = {
        [EV_STOP]     = TO(STOPPING, 0),
        [EV_RESTART]  = TO(RESTARTING, 0),
        [EV_TIMEOUT]  = TO(FAILING, DO_KILL),
        [EV_EXITED]   = TO(FAILING, DO_SWEEP),
        [EV_STUCK]    = TO(STUCK, DO_CALM | DO_SWEEP),
        [EV_AGAIN]    = TO(STARTING, DO_CALM | DO_SPAWN), /* GONE, judged */
        [EV_LATER]    = TO(WAITING, DO_DELAY),
        [EV_GIVE_UP]  = TO(ERRORED, DO_CALM),
    },
    [LIFE_WAITING] = {
        [EV_START]    = TO(STARTING, DO_CALM | DO_SPAWN),
        [EV_RESTART]  = TO(STARTING, DO_CALM | DO_SPAWN),
        [EV_TIMEOUT]  = TO(STARTING, DO_SPAWN),
        [EV_STOP]     = TO(STOPPING, DO_CALM | DO_TERM),
    },
    [LIFE_ERRORED] = {
        [EV_START]    = TO(STARTING, DO_SPAWN),
        [EV_RESTART]  = TO(STARTING, DO_SPAWN),
        [EV_STOP]     = TO(STOPPING, DO_TERM),
    },
    [LIFE_STUCK] = {
        [EV_GONE]     = TO(ERRORED, 0),
        [EV_EXITED]   = TO(STUCK, DO_SWEEP),
    },
};

static const struct {
    const char *key, *name;
} names[LIFE_N] = {
    [LIFE_STOPPED] = { "stopped", "stopped" },
    [LIFE_STARTING] = { "starting", "starting" },
    [LIFE_ONLINE] = { "online", "online" },
    [LIFE_STOPPING] = { "stopping", "stopping" },
    [LIFE_RESTARTING] = { "restarting", "stopping" },
    [LIFE_FAILING] = { "failing", "stopping" },
    [LIFE_WAITING] = { "waiting", "waiting" },
    [LIFE_ERRORED] = { "errored", "errored" },
    [LIFE_STUCK] = { "stuck", "errored" },
};

static const char *const event_names[EV_N] = {
    [EV_START] = "start",     [EV_STOP] = "stop",     [EV_RESTART] = "restart",   [EV_READY] = "ready",
    [EV_TIMEOUT] = "timeout", [EV_EXITED] = "exited", [EV_GONE] = "gone",         [EV_STUCK] = "stuck",
    [EV_AGAIN] = "again",     [EV_LATER] = "later",   [EV_FINISHED] = "finished", [EV_GIVE_UP] = "give up",
};

struct move life_next(enum life now, enum life_event ev)
{
    return moves[now][ev];
}

const char *life_name(enum life l)
{
    return names[l].name;
}

const char *life_key(enum life l)
{
    return names[l].key;
}

bool life_from_key(const char *key, enum life *out)
{
    for (enum life l = 0; l < LIFE_N; l++)
        if (strcmp(names[l].key, key) == 0) {
            *out = l;
            return true;
        }
    return false;
}

const char *life_event_name(enum life_event ev)
{
    return event_names[ev];
}

bool life_is_settled(enum life l)
{
    return l == LIFE_STOPPED || l == LIFE_ERRORED || l == LIFE_STUCK;
}

bool life_is_stopping(enum life l)
{
    return l == LIFE_STOPPING || l == LIFE_RESTARTING || l == LIFE_FAILING;
}
