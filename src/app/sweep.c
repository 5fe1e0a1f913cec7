/* Whether anything of an instance is left, and force for what is.
 *
 * A process belongs to an instance if it is in the session or group its main process leads, if its parent
 * belongs to it, or if it is an orphan whose environment carries the instance's mark (only orphans are asked:
 * reading environments is dear). A double fork with setsid() ends up as an orphan of ours, of the keeper's or
 * of init's with the mark still there; what it forks is found below it.
 *
 * While there is grace, one of those left is waited for (its pidfd) and then everybody is looked at again;
 * with force all are killed first. Nothing is polled. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "base/log.h"
#include "os/pidfd.h"
#include "os/procstat.h"

enum { NOT_KNOWN_YET = -2, NOBODY = -1 };

struct census {
    const struct world *world;
    struct instance *const *ask;
    size_t n_ask;
    struct proc_info *all;
    size_t n;
    int64_t *owner;    /* per process: an instance's id, NOBODY or NOT_KNOWN_YET */
    struct map by_pid; /* -> index + 1 */
};

static const struct proc_info *find(const struct census *c, pid_t pid)
{
    size_t i = (size_t)(uintptr_t)map_get(&c->by_pid, (uint64_t)pid);
    return i ? &c->all[i - 1] : NULL;
}

static bool is_dead(const struct proc_info *p)
{
    return p->state == 'Z' || p->state == 'X';
}

/* The session and group to look for. After the main process is reaped its number names them only as long as
 * nobody else got that number; older lives have the mark alone. */
static pid_t lead_of(const struct census *c, const struct instance *in)
{
    if (in->pid)
        return in->pid;
    return in->end_untold && !find(c, in->last_pid) ? in->last_pid : 0;
}

static int64_t owner_by_group(const struct census *c, const struct proc_info *p)
{
    for (size_t i = 0; i < c->n_ask; i++) {
        pid_t lead = lead_of(c, c->ask[i]);
        if (lead && (p->session == lead || p->pgrp == lead || p->pid == lead))
            return c->ask[i]->id;
    }
    return NOBODY;
}

static int64_t owner_by_mark(const struct census *c, const struct proc_info *p)
{
    const struct world *w = c->world;
    char mark[64];
    bool orphan = p->ppid == getpid() || p->ppid == w->keeper_pid || p->ppid == 1;
    size_t nonce_len = strlen(w->nonce);
    if (!orphan || map_get(&w->by_pid, (uint64_t)p->pid) ||
        !procstat_get_env(p->pid, "VELOS_INSTANCE", mark, sizeof(mark)))
        return NOBODY;
    if (strncmp(mark, w->nonce, nonce_len) != 0 || mark[nonce_len] != '-')
        return NOBODY;
    return strtoll(mark + nonce_len + 1, NULL, 10);
}

static int64_t owner_of(struct census *c, const struct proc_info *p)
{
    int64_t *owner = &c->owner[p - c->all];
    if (*owner != NOT_KNOWN_YET)
        return *owner;
    *owner = NOBODY; /* against a loop made of reused numbers */
    if (p->pid == getpid() || p->pid == c->world->keeper_pid)
        return NOBODY;
    int64_t found = owner_by_group(c, p);
    const struct proc_info *parent = find(c, p->ppid);
    if (found == NOBODY && parent)
        found = owner_of(c, parent);
    if (found == NOBODY)
        found = owner_by_mark(c, p);
    return *owner = found;
}

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
        if (is_dead(p) || owner_of(c, p) != in->id || (!in->app->spec->treekill && p->pid != in->pid))
            continue;
        if (in->forced)
            procstat_kill(p->pid, p->start, SIGKILL);
        if (p->pid != in->pid)
            left = p;
    }
    if (left)
        await(in, left);
    return !left && !in->pid;
}

void sweep(struct world *w, struct instance *const *ask, size_t n)
{
    struct census c = { .world = w, .ask = ask, .n_ask = n };
    ssize_t count = procstat_all(&c.all);
    if (count < 0)
        log_error("sweep: /proc: %s", strerror(errno));
    c.n = count < 0 ? 0 : (size_t)count;
    c.owner = xcalloc(c.n, sizeof(*c.owner));
    for (size_t i = 0; i < c.n; i++) {
        c.owner[i] = NOT_KNOWN_YET;
        map_put(&c.by_pid, (uint64_t)c.all[i].pid, (void *)(uintptr_t)(i + 1));
    }
    int64_t *gone = xcalloc(n, sizeof(*gone));
    for (size_t i = 0; i < n; i++)
        gone[i] = settle(&c, ask[i]) ? ask[i]->id : NOBODY;
    for (size_t i = 0; i < n; i++) { /* each answer may end other instances: so by id */
        struct instance *in = world_instance(w, gone[i]);
        if (in)
            instance_gone(in);
    }
    free(gone);
    map_done(&c.by_pid);
    free(c.owner);
    free(c.all);
}
