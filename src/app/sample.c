/* Every metrics_interval, while anything runs: one pass over /proc for the processor time and memory of every
 * instance's tree, and the memory limit. Two samples in a row above it restart the instance. */
#include <stdlib.h>

#include "app/census.h"
#include "app/strays.h"
#include "base/log.h"
#include "base/time.h"
#include "base/units.h"

static void check_limit(struct instance *in)
{
    int64_t limit = in->app->spec->max_memory_restart;
    char has[UNITS_TEXT], may[UNITS_TEXT];
    if (limit == 0 || (int64_t)in->usage.memory <= limit) {
        in->over_limit = 0;
        return;
    }
    if (++in->over_limit < 2)
        return;
    in->over_limit = 0;
    log_info("%s %lld: uses %s of memory, may use %s: restart", in->app->spec->name, (long long)in->id,
             units_show_size((int64_t)in->usage.memory, has), units_show_size(limit, may));
    instance_feed(in, EV_RESTART, CAUSE_MEMORY);
}

static size_t collect(const struct world *w, struct instance **out)
{
    size_t n = 0;
    list_each (l, &w->apps) {
        const struct app *a = container_of(l, struct app, link);
        for (size_t i = 0; i < a->n; i++)
            if (a->instances[i]->pid)
                out[n++] = a->instances[i];
    }
    return n;
}

/* The processes of the census sorted by owner, so that each instance's are one run. */
struct owned {
    int64_t owner;
    const struct proc_info *p;
};

static int by_owner(const void *a, const void *b)
{
    int64_t x = ((const struct owned *)a)->owner, y = ((const struct owned *)b)->owner;
    return (x > y) - (x < y);
}

static size_t collect_owned(struct census *c, struct owned *out)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        int64_t owner = census_owner(c, &c->all[i]);
        if (owner >= 0 && !census_is_dead(&c->all[i]))
            out[n++] = (struct owned){ owner, &c->all[i] };
    }
    qsort(out, n, sizeof(*out), by_owner);
    return n;
}

static void look_at_all(struct world *w, struct instance *const *ask, size_t n_ask)
{
    struct census c;
    census_take_ours(&c, w, ask, n_ask, &w->strangers);
    struct owned *owned = xcalloc(c.n, sizeof(*owned));
    const struct proc_info **run = xcalloc(c.n, sizeof(struct proc_info *));
    size_t n = collect_owned(&c, owned);
    census_note_strangers(&c, &w->strangers);
    int64_t now = time_mono_ms();
    for (size_t i = 0; i < n;) {
        size_t len = 0;
        int64_t owner = owned[i].owner;
        struct instance *in = world_instance(w, owner);
        for (; i < n && owned[i].owner == owner; i++) {
            run[len++] = owned[i].p;
            if (in)
                strays_note(&w->strays, owned[i].p, in);
        }
        if (in && in->pid)
            usage_look(&in->usage, run, len, in->pid, now, procstat_ticks_per_second());
    }
    strays_seen_all(&w->strays);
    for (size_t i = 0; i < n_ask; i++)
        if (ask[i]->life == LIFE_ONLINE)
            check_limit(ask[i]);
    free(run);
    free(owned);
    census_done(&c);
}

static void on_sample(uv_timer_t *t)
{
    struct world *w = container_of(t, struct world, sample);
    struct instance **ask = xcalloc(w->n_instances, sizeof(struct instance *));
    size_t n = collect(w, ask);
    bool writing = outlet_look(w);
    if (n)
        look_at_all(w, ask, n);
    else if (!writing)
        uv_timer_stop(t); /* nothing runs: nothing ticks */
    free(ask);
}

void world_sample(struct world *w)
{
    if (!uv_is_active((uv_handle_t *)&w->sample))
        uv_timer_start(&w->sample, on_sample, SAMPLE_FIRST_MS, (uint64_t)w->settings->metrics_interval);
}
