/* Whether anything of an instance is left, and force for what is. While there is grace, one of those left is
 * waited for (its pidfd) and then everybody is looked at again; with force all are killed first. Nothing is
 * polled. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/census.h"
#include "base/fault.h"
#include "base/time.h"
#include "os/pidfd.h"

/* A look during which somebody died proves nothing: what he forked on his way may be missing in the list. On
 * a machine where somebody always dies it has to be enough at some time. */
enum { UNSURE_MOST = 100 };

static void on_leftover_ended(void *arg)
{
    struct instance *in = arg;
    in->leftover = pidwatch_free(in->leftover);
    world_defer_sweep(in);
}

static void await(struct instance *in, const struct proc_info *p)
{
    int fd = os_pidfd_open(p->pid);
    in->leftover = pidwatch_free(in->leftover);
    if (fd < 0 && errno == ESRCH)
        world_defer_sweep(in); /* it ended just now: look again */
    else if (fd < 0)
        world_sweep_later(in->app->world);
    else
        in->leftover = pidwatch_new(in->app->world->loop, fd, on_leftover_ended, in);
}

/* For how long SIGKILL has not helped; 0 while there is grace. */
static int64_t forced_for(const struct instance *in)
{
    return in->forced && life_is_stopping(in->life) ? time_mono_ms() - in->forced_at : 0;
}

enum found { FOUND_NOTHING, FOUND_SOMETHING, FOUND_STUCK };

/* Whether somebody may be left whom this look, which found nobody, did not see. */
static bool is_unsure(const struct census *c, struct instance *in)
{
    if (in->unsure_looks++ < UNSURE_MOST)
        return c->unsure || c->died || c->vanished;
    return c->unsure || (c->died && !census_died_long_ago(c));
}

/* The main process is not waited for: its exit is told by itself. */
static enum found settle(struct census *c, struct instance *in)
{
    const struct proc_info *left = NULL;
    bool asleep = false; /* one is, uninterruptibly; any other has merely not had its processor yet */
    int64_t forced = forced_for(in);
    for (const struct proc_info *p = c->all; p < c->all + c->n; p++) {
        if (census_is_dead(p) || census_owner(c, p) != in->id ||
            (!in->app->spec->treekill && p->pid != in->pid))
            continue;
        asleep |= p->state == 'D';
        if (in->forced)
            procstat_kill(p->pid, p->start, SIGKILL);
        else if (in->tell_leftovers)
            procstat_kill(p->pid, p->start, (int)in->app->spec->kill_signal);
        if (p->pid != in->pid)
            left = p;
    }
    in->tell_leftovers = false;
    if (left)
        await(in, left);
    else if (is_unsure(c, in))
        world_defer_sweep(in); /* its timer and force go on meanwhile */
    else if (!in->pid)
        return FOUND_NOTHING;
    return forced >= (asleep ? SWEEP_STUCK_MS : SWEEP_STUCK_MOST_MS) ? FOUND_STUCK : FOUND_SOMETHING;
}

/* Whether the whole question can be answered without looking at the machine. What is left of an instance
 * hangs, by its parents, below a child of ours: orphans fall to us. When each child of ours is the main
 * process of some instance, nothing is left of those that have none; a process that forks and dies behind our
 * back is a child of ours, or below one, until we reap it. Not once there was another velosd: its orphans are
 * the keeper's. */
static bool has_only_mains(const struct world *w)
{
    pid_t *children;
    ssize_t n = w->adoptions ? -1 : procstat_children(getpid(), &children);
    if (n < 0)
        return false;
    bool only = true;
    for (ssize_t i = 0; i < n && only; i++)
        only = map_get(&w->by_pid, (uint64_t)children[i]) != NULL;
    free(children);
    return only;
}

/* Each answer may end other instances: so by id. */
static void tell_gone(struct world *w, struct instance *const *ask, size_t n)
{
    int64_t *ids = xcalloc(n, sizeof(*ids));
    for (size_t i = 0; i < n; i++)
        ids[i] = ask[i]->id;
    for (size_t i = 0; i < n; i++) {
        struct instance *in = world_instance(w, ids[i]);
        if (!in)
            continue;
        in->tell_leftovers = false;
        instance_gone(in);
    }
    free(ids);
}

static bool all_without_main(struct instance *const *ask, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ask[i]->pid)
            return false;
    return true;
}

void sweep(struct world *w, struct instance *const *ask, size_t n)
{
    struct census c;
    if (all_without_main(ask, n) && has_only_mains(w)) {
        tell_gone(w, ask, n);
        return;
    }
    census_take(&c, w, ask, n);
    if (c.unreadable) { /* what cannot be looked at is not dead */
        for (size_t i = 0; i < n; i++)
            if (ask[i]->forced && ask[i]->pid)
                kill(-ask[i]->pid, SIGKILL);
        world_sweep_later(w);
        census_done(&c);
        return;
    }
    c.ask_init = true;
    struct {
        int64_t id;
        enum found found;
    } *looks = xcalloc(n, sizeof(*looks));
    for (size_t i = 0; i < n; i++) {
        looks[i].id = ask[i]->id;
        looks[i].found = settle(&c, ask[i]);
    }
    for (size_t i = 0; i < n; i++) { /* each answer may end other instances: so by id */
        struct instance *in = looks[i].found == FOUND_SOMETHING ? NULL : world_instance(w, looks[i].id);
        fault_point("sweep.found-nothing");
        if (in && looks[i].found == FOUND_STUCK)
            instance_stuck(in);
        else if (in)
            instance_gone(in);
        fault_point("sweep.told-all");
    }
    free(looks);
    census_done(&c);
}
