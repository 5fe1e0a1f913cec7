/* Whether anything of an instance is left, and force for what is. While there is grace, one of those left is
 * waited for (its pidfd) and then everybody is looked at again; with force all are killed first. Nothing is
 * polled. */
#include <signal.h>
#include <stdlib.h>

#include "app/census.h"
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
    if (fd < 0)
        world_defer_sweep(in); /* it ended just now: look again */
    else
        in->leftover = pidwatch_new(in->app->world->loop, fd, on_leftover_ended, in);
}

/* True if nothing is left. The main process is not waited for: its exit is told by itself. */
static bool settle(struct census *c, struct instance *in)
{
    const struct proc_info *left = NULL;
    for (const struct proc_info *p = c->all; p < c->all + c->n; p++) {
        if (census_is_dead(p) || census_owner(c, p) != in->id ||
            (!in->app->spec->treekill && p->pid != in->pid))
            continue;
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
    else if (c->unsure || (c->vanished && in->unsure_looks++ < UNSURE_MOST)) {
        world_defer_sweep(in); /* its timer, force and "stuck" go on meanwhile */
        return false;
    }
    return !left && !in->pid;
}

void sweep(struct world *w, struct instance *const *ask, size_t n)
{
    struct census c;
    census_take(&c, w, ask, n);
    c.ask_init = true;
    int64_t *gone = xcalloc(n, sizeof(*gone));
    for (size_t i = 0; i < n; i++)
        gone[i] = settle(&c, ask[i]) ? ask[i]->id : CENSUS_NOBODY;
    for (size_t i = 0; i < n; i++) { /* each answer may end other instances: so by id */
        struct instance *in = world_instance(w, gone[i]);
        if (in)
            instance_gone(in);
    }
    free(gone);
    census_done(&c);
}
