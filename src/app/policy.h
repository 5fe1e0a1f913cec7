/* src/app/policy.h: a child has ended unasked: again? when? or give up? Pure; "now" comes in as uptime. */
#pragma once
#include "app/life.h"
#include "conf/spec.h"

enum {
    POLICY_BACKOFF_MOST = 15000, /* ms */
    POLICY_BACKOFF_CALM = 30000, /* ms online after which the backoff starts over */
    POLICY_SPAWN_DELAY =
        1000, /* ms, at least, after a spawn that failed: a file does not come back in 0 ms */
};

struct policy_memory { /* kept in the instance's entry */
    int64_t unstable;  /* unstable exits in a row */
    int64_t backoff;   /* ms, the last delay given; 0: none yet */
};

struct policy_exit {
    bool spawn_failed; /* there was no child */
    bool commanded;    /* ... and a person who asked for it has the error in hand */
    bool not_ready;    /* stopped by us: listen_timeout */
    bool signalled;    /* ended by a signal, or nobody knows how */
    int code;          /* exit code, if not signalled */
    int64_t uptime;    /* ms */
};

/* EV_AGAIN, EV_LATER (with *delay in ms), EV_FINISHED or EV_GIVE_UP; m is brought up to date. */
enum life_event policy_judge(const struct app_spec *spec, struct policy_memory *m,
                             const struct policy_exit *x, int64_t *delay);

/* Unstable exits in a row as people should see them: none once the living child has proved itself. */
int64_t policy_unstable_now(const struct app_spec *spec, const struct policy_memory *m, int64_t uptime);
