#include "app/policy.h"

static bool is_restart_wanted(const struct app_spec *spec, const struct policy_exit *x)
{
    if (spec->autorestart == AUTORESTART_NEVER)
        return false;
    if (x->spawn_failed)
        return !x->commanded;
    if (x->not_ready || x->signalled)
        return true;
    return !exit_codes_has(&spec->stop_exit_codes, x->code);
}

static bool is_failure(const struct policy_exit *x)
{
    return x->spawn_failed || x->not_ready;
}

static int64_t next_delay(const struct app_spec *spec, struct policy_memory *m, const struct policy_exit *x)
{
    int64_t delay = spec->restart_delay;
    if (spec->exp_backoff_restart_delay > 0) {
        m->backoff = m->backoff ? m->backoff * 2 : spec->exp_backoff_restart_delay;
        m->backoff = MIN(m->backoff, (int64_t)POLICY_BACKOFF_MOST);
        delay = m->backoff;
    }
    return x->spawn_failed ? MAX(delay, (int64_t)POLICY_SPAWN_DELAY) : delay;
}

enum life_event policy_judge(const struct app_spec *spec, struct policy_memory *m,
                             const struct policy_exit *x, int64_t *delay)
{
    bool stable = !is_failure(x) && x->uptime >= spec->min_uptime;
    m->unstable = stable ? 0 : m->unstable + 1;
    if (!is_failure(x) && x->uptime >= POLICY_BACKOFF_CALM)
        m->backoff = 0;

    if (!is_restart_wanted(spec, x))
        return is_failure(x) ? EV_GIVE_UP : EV_FINISHED;
    if (spec->max_restarts == 0 || (spec->max_restarts > 0 && m->unstable >= spec->max_restarts))
        return EV_GIVE_UP;
    *delay = next_delay(spec, m, x);
    return *delay > 0 ? EV_LATER : EV_AGAIN;
}

int64_t policy_unstable_now(const struct app_spec *spec, const struct policy_memory *m, int64_t uptime)
{
    return uptime >= spec->min_uptime ? 0 : m->unstable;
}
