#include "app/census.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/strays.h"
#include "base/log.h"

static const struct proc_info *find(const struct census *c, pid_t pid)
{
    size_t i = (size_t)(uintptr_t)map_get(&c->by_pid, (uint64_t)pid);
    return i ? &c->all[i - 1] : NULL;
}

bool census_is_dead(const struct proc_info *p)
{
    return p->state == 'Z' || p->state == 'X';
}

/* The session and group to look for. After the main process is reaped its number names them only as long as
 * nobody else got that number; older lives have the mark alone. */
static pid_t lead_of(const struct census *c, const struct instance *in)
{
    if (in->pid)
        return in->pid;
    return (in->end_untold || in->life == LIFE_STUCK) && in->last_pid && !find(c, in->last_pid) ? in->last_pid
                                                                                                : 0;
}

static bool is_parent(const struct census *c, pid_t pid)
{
    return pid == c->self || pid == c->world->keeper_pid;
}

/* A zombie that is ours or the keeper's to reap. */
static bool is_our_dead(const struct census *c, const struct proc_info *p)
{
    return census_is_dead(p) && is_parent(c, p->ppid);
}

bool census_died_long_ago(const struct census *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (is_our_dead(c, &c->all[i]) && !procstat_is_traced(c->all[i].pid))
            return false;
    return true;
}

static void take(struct census *c, const struct world *w, struct instance *const *ask, size_t n,
                 procstat_skip *skip, void *arg)
{
    *c = (struct census){ .world = w };
    size_t vanished;
    pid_t self = getpid();
    ssize_t count = procstat_all(&c->all, &vanished, skip, arg);
    if (count < 0)
        log_error("census: /proc: %s", strerror(errno));
    c->unreadable = count < 0;
    c->n = count < 0 ? 0 : (size_t)count;
    c->owner = xcalloc(c->n, sizeof(*c->owner));
    c->vanished = vanished > 0;
    c->self = self;
    for (size_t i = 0; i < c->n; i++) {
        c->died |= is_our_dead(c, &c->all[i]);
        c->owner[i] = CENSUS_NOT_KNOWN_YET;
        map_put(&c->by_pid, (uint64_t)c->all[i].pid, (void *)(uintptr_t)(i + 1));
    }
    for (size_t i = 0; i < n; i++) {
        pid_t lead = lead_of(c, ask[i]);
        if (lead)
            map_put(&c->leads, (uint64_t)lead, (void *)(uintptr_t)(ask[i]->id + 1));
    }
}

void census_take(struct census *c, const struct world *w, struct instance *const *ask, size_t n)
{
    take(c, w, ask, n, NULL, NULL);
}

/* Those of the last pass that are skipped in this one are kept; the others are asked for anew. */
struct skipping {
    struct strangers *was;
    pid_t *kept;
    size_t n_kept;
};

static int by_number(const void *a, const void *b)
{
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
    return (x > y) - (x < y);
}

static bool is_skipped(void *arg, pid_t pid)
{
    struct skipping *s = arg;
    if ((unsigned)pid % STRANGERS_EVERY == s->was->turn ||
        !bsearch(&pid, s->was->pids, s->was->n, sizeof(pid), by_number))
        return false;
    s->kept[s->n_kept++] = pid;
    return true;
}

void census_take_ours(struct census *c, const struct world *w, struct instance *const *ask, size_t n,
                      struct strangers *s)
{
    struct skipping skip = { .was = s, .kept = xcalloc(s->n + 1, sizeof(pid_t)) };
    s->turn = (s->turn + 1) % STRANGERS_EVERY;
    take(c, w, ask, n, s->n ? is_skipped : NULL, &skip);
    free(s->pids);
    s->pids = skip.kept;
    s->n = skip.n_kept;
}

void census_note_strangers(struct census *c, struct strangers *s)
{
    s->pids = xrealloc(s->pids, (s->n + c->n + 1) * sizeof(*s->pids));
    for (size_t i = 0; i < c->n; i++)
        if (census_owner(c, &c->all[i]) == CENSUS_NOBODY)
            s->pids[s->n++] = c->all[i].pid;
    qsort(s->pids, s->n, sizeof(*s->pids), by_number);
    s->pids = xrealloc(s->pids, (s->n + 1) * sizeof(*s->pids));
}

void census_done(struct census *c)
{
    map_done(&c->by_pid);
    map_done(&c->leads);
    free(c->owner);
    free(c->all);
}

static int64_t owner_by_lead(const struct census *c, const struct proc_info *p)
{
    const pid_t leads[] = { p->pid, p->session, p->pgrp };
    for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
        uintptr_t id = (uintptr_t)map_get(&c->leads, (uint64_t)leads[i]);
        if (id)
            return (int64_t)id - 1;
    }
    return CENSUS_NOBODY;
}

static bool is_ending(const struct proc_info *p)
{
    struct proc_info now;
    return !procstat_read(p->pid, &now) || now.start != p->start || census_is_dead(&now) || now.exiting;
}

static int64_t owner_by_mark(struct census *c, const struct proc_info *p)
{
    const struct world *w = c->world;
    char mark[64];
    bool orphan = is_parent(c, p->ppid) || (c->ask_init && p->ppid == 1);
    size_t nonce_len = strlen(w->nonce);
    if (!orphan || census_is_dead(p) || map_get(&w->by_pid, (uint64_t)p->pid))
        return CENSUS_NOBODY;
    enum procstat_env found = procstat_get_env(p->pid, "VELOS_INSTANCE", mark, sizeof(mark));
    if (found == PROCSTAT_ENV_HIDDEN) { /* what it forks meanwhile, or becomes, may be ours */
        c->unsure |= is_ending(p);
        c->vanished |= is_parent(c, p->ppid);
    }
    if (found != PROCSTAT_ENV_FOUND)
        return CENSUS_NOBODY;
    if (strncmp(mark, w->nonce, nonce_len) != 0 || mark[nonce_len] != '-')
        return CENSUS_NOBODY;
    return strtoll(mark + nonce_len + 1, NULL, 10);
}

int64_t census_owner(struct census *c, const struct proc_info *p)
{
    int64_t *owner = &c->owner[p - c->all];
    if (*owner != CENSUS_NOT_KNOWN_YET)
        return *owner;
    *owner = CENSUS_NOBODY; /* against a loop made of reused numbers */
    if (is_parent(c, p->pid))
        return CENSUS_NOBODY;
    int64_t found = owner_by_lead(c, p);
    const struct proc_info *parent = find(c, p->ppid);
    if (found == CENSUS_NOBODY && parent)
        found = census_owner(c, parent);
    if (found == CENSUS_NOBODY)
        found = strays_owner(&c->world->strays, p);
    if (found == CENSUS_NOBODY)
        found = owner_by_mark(c, p);
    return *owner = found;
}
