/* Whether anything of an instance is left, and what becomes of it.
 *
 * Two kinds of instances ask. One that is being stopped (STOPPING, RESTARTING, FAILING, STUCK): the signal
 * went to its process group; the first look sends it to what that did not reach, in other sessions, groups
 * and below velosd itself. What is left then is waited for (the pidfd of one of them), and looked for again;
 * with force, all that are found are killed first. And one whose run has ended by itself, or that is to begin
 * another one (`dirty`): what the last run left gets the stop signal, kill_timeout and SIGKILL, and until it
 * is gone no child is started. Its state is whatever policy has decided meanwhile.
 *
 * A stop is over only after a look that has seen everything: a scan during which a process exited proves
 * nothing, since a child it forked on the way out may be missing. Nothing is polled. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/census.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/time.h"
#include "os/pidfd.h"

/* On a system where processes exit all the time a look has to be enough after so many. */
enum { UNSURE_MOST = 100, UNOWNED_LOOKS = 20 };

/* What the last run left has been asked to end. */
struct clearing {
    uv_timer_t timer;
    struct instance *in;
    int64_t forced_at; /* mono ms; 0: it has its time */
};

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

static bool is_stop(const struct instance *in)
{
    return life_is_stopping(in->life) || in->life == LIFE_STUCK;
}

static bool is_to_clear(const struct instance *in)
{
    return in->dirty && !in->pid && !is_stop(in);
}

static int64_t forced_at(const struct instance *in)
{
    if (is_stop(in))
        return in->forced ? in->forced_at : 0;
    return in->clearing ? in->clearing->forced_at : 0;
}

/* For how long SIGKILL has not helped; 0 while there is grace. */
static int64_t forced_for(const struct instance *in)
{
    return forced_at(in) && in->life != LIFE_STUCK ? time_mono_ms() - forced_at(in) : 0;
}

/* Whether a process may be left that this look, which found none, did not see. */
static bool is_unsure(const struct census *c, struct instance *in)
{
    if (in->unsure_looks++ < UNSURE_MOST)
        return c->unsure || c->died || c->vanished;
    return c->unsure || (c->died && !census_died_long_ago(c));
}

struct look {
    const struct proc_info *left; /* one to wait for; not the main process, which is reported by itself */
    bool asleep;      /* one is, uninterruptibly; any other has merely not had its processor yet */
    size_t reachable; /* that may be signalled */
    size_t asked;     /* that have just got a signal */
    pid_t last_asked;
    pid_t forbidden; /* one that may not; or 0 */
};

/* Sends it what is due, or nothing: then it is asked whether it could be sent. */
static void reach(struct instance *in, const struct proc_info *p, struct look *l)
{
    const struct app_spec *s = in->app->spec;
    bool told = p->pid == in->pid || (in->group_told && p->pgrp == in->last_pid);
    int sig = 0;
    if (forced_at(in) || (in->tell_leftovers && !told && s->kill_timeout == 0))
        sig = SIGKILL;
    else if (in->tell_leftovers && !told)
        sig = (int)s->kill_signal;
    int r = procstat_kill(p->pid, p->start, sig);
    if (r < 0 && errno == ESRCH)
        return;
    bool may = r == 0 || errno != EPERM;
    if (r == 0 && sig && sig != SIGKILL) /* a suspended one handles no signal but this */
        procstat_kill(p->pid, p->start, SIGCONT);
    l->asleep |= p->state == 'D';
    if (sig) {
        l->asked++;
        l->last_asked = p->pid;
    }
    l->reachable += may;
    if (!may)
        l->forbidden = p->pid;
    if (p->pid != in->pid && (may || !l->left || l->left->pid == l->forbidden))
        l->left = p;
}

enum found { FOUND_NOTHING, FOUND_SOMETHING, FOUND_STUCK, FOUND_FORBIDDEN };

static enum found settle(struct census *c, struct instance *in, struct look *l)
{
    *l = (struct look){ 0 };
    int64_t forced = forced_for(in);
    for (const struct proc_info *p = c->all; p < c->all + c->n; p++)
        if (!census_is_dead(p) && census_owner(c, p) == in->id &&
            (in->app->spec->treekill || p->pid == in->pid))
            reach(in, p, l);
    in->tell_leftovers = false;
    if (l->left)
        await(in, l->left);
    else if (is_stop(in) && (!in->pid || in->forced) && is_unsure(c, in))
        world_defer_sweep(in); /* its timer and force go on meanwhile */
    else if (!in->pid)
        return FOUND_NOTHING;
    if (l->forbidden && !l->reachable)
        return FOUND_FORBIDDEN;
    return forced >= (l->asleep ? SWEEP_STUCK_MS : SWEEP_STUCK_MOST_MS) ? FOUND_STUCK : FOUND_SOMETHING;
}

/* What an ended run left. */

static void on_clearing_due(uv_timer_t *t)
{
    struct clearing *k = t->data;
    if (!k->forced_at)
        k->forced_at = time_mono_ms();
    uv_timer_start(t, on_clearing_due, SWEEP_STUCK_MS, 0); /* then it is judged whether that helped */
    world_defer_sweep(k->in);
}

static void on_clearing_closed(uv_handle_t *h)
{
    free(h->data);
}

void sweep_forget(struct instance *in)
{
    if (in->clearing)
        uv_close((uv_handle_t *)&in->clearing->timer, on_clearing_closed);
    in->clearing = NULL;
}

void sweep_dirty(struct instance *in)
{
    if (!in->app->spec->treekill || in->clearing)
        return;
    in->dirty = in->tell_leftovers = true;
    in->group_told = false;
    world_defer_sweep(in);
}

static void begin_clearing(struct instance *in, const struct look *l)
{
    struct clearing *k = xnew(struct clearing);
    int64_t grace = in->app->spec->kill_timeout;
    char name[20];
    procstat_name(l->last_asked, name);
    if (l->asked) /* else it is the process group, which is dying of SIGKILL */
        log_info("%s %lld: ended and left process %d (%s)%s, which is to end too; `treekill = false` would "
                 "let it live",
                 in->app->spec->name, (long long)in->id, (int)l->last_asked, name,
                 l->asked > 1 ? " and others" : "");
    k->in = in;
    k->forced_at = grace == 0 ? time_mono_ms() : 0;
    k->timer.data = k;
    uv_timer_init(in->app->world->loop, &k->timer);
    uv_timer_start(&k->timer, on_clearing_due, (uint64_t)(grace ? grace : SWEEP_STUCK_MS), 0);
    in->clearing = k;
}

static void end_clearing(struct instance *in)
{
    sweep_forget(in);
    in->dirty = in->tell_leftovers = false;
    in->leftover = pidwatch_free(in->leftover);
    if (in->life == LIFE_STARTING)
        world_defer_spawn(in);
}

/* It stays dirty: the next start looks again. One that is to start now is stuck. */
static void give_up_clearing(struct instance *in, const struct look *l, enum found found)
{
    if (in->life == LIFE_STARTING && in->clearing) {
        in->forced = in->clearing->forced_at != 0;
        in->forced_at = in->clearing->forced_at;
    }
    sweep_forget(in);
    if (in->life != LIFE_STARTING)
        log_warn("%s %lld: process %d of its last run cannot be ended%s", in->app->spec->name,
                 (long long)in->id, (int)l->left->pid,
                 found == FOUND_FORBIDDEN ? ": its user is another one by now" : "");
    else if (found == FOUND_FORBIDDEN)
        instance_forbidden(in, l->forbidden);
    else
        instance_stuck(in);
}

static void clear(struct instance *in, const struct look *l, enum found found)
{
    if (found == FOUND_NOTHING)
        end_clearing(in);
    else if (found != FOUND_SOMETHING)
        give_up_clearing(in, l, found);
    else if (!in->clearing)
        begin_clearing(in, l);
}

/* A round of looks. */

/* What is left of an instance without a main process hangs, by its parents, below a child of ours: orphans
 * fall to us, or to the keeper once there was another velosd. So these children answer most questions, and no
 * process of the system need be read. */
static bool has_orphans(const struct world *w, struct instance *const *ask, size_t n)
{
    struct census c;
    bool found = false;
    if (!census_take_orphans(&c, w, ask, n))
        return true;
    c.stopping = true;
    for (size_t i = 0; i < c.n && !found; i++)
        for (size_t k = 0; k < n && !found; k++)
            found = !census_is_dead(&c.all[i]) && census_owner(&c, &c.all[i]) == ask[k]->id;
    census_done(&c);
    return found;
}

/* Where a stop is to be answered none of these children may be there: a process that forks and dies unseen is
 * a child of ours, or below one, until we reap it. After a takeover that takes a look at everything, since a
 * list of the keeper's children may lack some. */
static bool has_only_mains(const struct world *w)
{
    struct census c;
    if (w->adoptions || !census_take_orphans(&c, w, NULL, 0))
        return false;
    bool only = c.n == 0;
    census_done(&c);
    return only;
}

static bool needs_census(const struct world *w, struct instance *const *ask, size_t n)
{
    bool for_certain = false;
    for (size_t i = 0; i < n; i++) {
        if (ask[i]->pid && (ask[i]->forced || ask[i]->scattered))
            return true;
        for_certain |= is_stop(ask[i]) && !ask[i]->pid;
    }
    return for_certain ? !has_only_mains(w) : has_orphans(w, ask, n);
}

static void answer(struct instance *in, const struct look *l, enum found found)
{
    if (is_to_clear(in)) {
        clear(in, l, found);
        return;
    }
    if (found == FOUND_STUCK)
        instance_stuck(in);
    else if (found == FOUND_FORBIDDEN)
        instance_forbidden(in, l->forbidden);
    else if (found == FOUND_NOTHING)
        instance_gone(in);
}

void sweep(struct world *w, struct instance *const *ask, size_t n)
{
    struct census c = { 0 };
    bool look = needs_census(w, ask, n);
    struct {
        int64_t id;
        enum found found;
        struct look look;
    } *looks = xcalloc(n, sizeof(*looks));
    if (look) {
        census_take(&c, w, ask, n);
        c.stopping = true;
    }
    if (c.unreadable) { /* what cannot be looked at is not dead */
        for (size_t i = 0; i < n; i++)
            if (ask[i]->forced && ask[i]->pid)
                kill(-ask[i]->pid, SIGKILL);
        world_sweep_later(w);
        census_done(&c);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        looks[i].id = ask[i]->id;
        if (look)
            looks[i].found = settle(&c, ask[i], &looks[i].look);
        else
            looks[i].found = ask[i]->pid ? FOUND_SOMETHING : FOUND_NOTHING;
        if (!look)
            ask[i]->tell_leftovers = false;
    }
    for (size_t i = 0; i < n; i++) { /* each answer may end other instances: so by id */
        struct instance *in = world_instance(w, looks[i].id);
        fault_point("sweep.found-nothing");
        if (in)
            answer(in, &looks[i].look, looks[i].found);
        fault_point("sweep.told-all");
    }
    free(looks);
    if (look)
        census_done(&c);
}

void sweep_unowned(struct world *w)
{
    struct census c;
    bool found = true;
    if (census_take_orphans(&c, w, NULL, 0)) {
        found = c.n > 0;
        census_done(&c);
    }
    for (int looks = 0; found && looks < UNOWNED_LOOKS; looks++) {
        found = false;
        census_take(&c, w, NULL, 0);
        for (const struct proc_info *p = c.all; p < c.all + c.n; p++)
            if (!census_is_dead(p) && census_is_unowned(&c, p)) {
                if (looks == 0)
                    log_info("process %d is of no app that is known: SIGKILL", (int)p->pid);
                found |= procstat_kill(p->pid, p->start, SIGKILL) == 0;
            }
        census_done(&c);
    }
}
