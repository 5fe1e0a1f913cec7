#include "app/census.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/strays.h"
#include "base/log.h"
#include "os/proctag.h"

static const struct census_facts proc_facts = { os_proctag_read, procstat_get_env, procstat_user };

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
    bool recent = in->end_untold || in->dirty || in->life == LIFE_STUCK;
    return recent && in->last_pid && !find(c, in->last_pid) ? in->last_pid : 0;
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

void census_of(struct census *c, const struct world *w, struct instance *const *ask, size_t n,
               struct proc_info *take_all, size_t n_all, const struct census_facts *facts)
{
    *c = (struct census){
        .world = w, .facts = facts, .self = getpid(), .ask = ask, .n_ask = n, .all = take_all, .n = n_all
    };
    c->owner = xcalloc(c->n, sizeof(*c->owner));
    for (size_t i = 0; i < c->n; i++) {
        c->died |= is_our_dead(c, &c->all[i]);
        c->owner[i] = CENSUS_NOT_KNOWN_YET;
        map_put(&c->by_pid, (uint64_t)c->all[i].pid, (void *)(uintptr_t)(i + 1));
    }
    const struct proc_info *keeper = find(c, w->keeper_pid);
    c->reaper = keeper ? keeper->ppid : 0;
    for (size_t i = 0; i < n; i++) {
        pid_t lead = lead_of(c, ask[i]);
        if (lead)
            map_put(&c->leads, (uint64_t)lead, (void *)(uintptr_t)(ask[i]->id + 1));
    }
}

static void take(struct census *c, const struct world *w, struct instance *const *ask, size_t n,
                 procstat_skip *skip, void *arg)
{
    struct proc_info *all = NULL;
    size_t vanished;
    ssize_t count = procstat_all(&all, &vanished, skip, arg);
    if (count < 0)
        log_error("census: /proc: %s", strerror(errno));
    census_of(c, w, ask, n, all, count < 0 ? 0 : (size_t)count, &proc_facts);
    c->unreadable = count < 0;
    c->vanished = vanished > 0;
}

void census_take(struct census *c, const struct world *w, struct instance *const *ask, size_t n)
{
    take(c, w, ask, n, NULL, NULL);
}

/* Appends those of a process's children that are no main processes. */
static bool add_orphans(const struct world *w, pid_t parent, struct proc_info **all, size_t *n)
{
    pid_t *children;
    ssize_t count = procstat_children(parent, &children);
    if (count < 0)
        return false;
    for (ssize_t i = 0; i < count; i++) {
        struct proc_info p;
        if (children[i] == getpid() || map_get(&w->by_pid, (uint64_t)children[i]))
            continue;
        if (!procstat_read(children[i], &p)) {
            if (kill(children[i], 0) < 0 && errno == ESRCH)
                continue;
            free(children); /* it is there and cannot be looked at: descriptors have run out */
            return false;
        }
        *all = xrealloc(*all, (*n + 1) * sizeof(**all));
        (*all)[(*n)++] = p;
    }
    free(children);
    return true;
}

bool census_take_orphans(struct census *c, const struct world *w, struct instance *const *ask, size_t n)
{
    struct proc_info *all = NULL;
    size_t n_all = 0;
    if (!add_orphans(w, getpid(), &all, &n_all) ||
        (w->adoptions && !add_orphans(w, w->keeper_pid, &all, &n_all))) {
        free(all);
        return false;
    }
    census_of(c, w, ask, n, all, n_all, &proc_facts);
    return true;
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

/* What a process's tag and environment say. */
enum { NAMES_NONE = CENSUS_NOBODY, NAMES_GONE_BY_TAG = -2, NAMES_GONE_BY_MARK = -3 };

/* The tag of an instance holds 28 bits of the nonce and 32 of the id. */
static uint32_t tag_family(const struct world *w)
{
    uint32_t hash = 2166136261; /* FNV-1a */
    for (const char *p = w->nonce; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619;
    return (hash & 0xfffffff) | 1; /* never 0: that would be no tag */
}

uint64_t instance_tag(const struct instance *in)
{
    if (in->id < 0 || in->id > UINT32_MAX)
        return 0;
    return (uint64_t)tag_family(in->app->world) << 32 | (uint64_t)in->id;
}

static int64_t named_by_tag(const struct census *c, const struct proc_info *p)
{
    uint64_t tag = c->facts->tag(p->pid);
    if (!tag || tag >> 32 != tag_family(c->world))
        return NAMES_NONE;
    int64_t id = (int64_t)(tag & UINT32_MAX);
    return world_instance(c->world, id) ? id : NAMES_GONE_BY_TAG;
}

/* A root app's processes may have become other users; those are known by their tag, or not at all. */
static bool may_be_of(const struct instance *in, uid_t user)
{
    return in->uid != UID_UNKNOWN && in->uid == user;
}

static int64_t named_by_mark(struct census *c, const struct proc_info *p)
{
    const struct world *w = c->world;
    char mark[64];
    uid_t user;
    size_t nonce_len = strlen(w->nonce);
    enum procstat_env found = c->facts->env(p->pid, "VELOS_INSTANCE", mark, sizeof(mark));
    if (found == PROCSTAT_ENV_HIDDEN) { /* what it forks meanwhile, or becomes, may be ours */
        c->unsure |= is_ending(p);
        c->vanished |= is_parent(c, p->ppid);
    }
    if (found != PROCSTAT_ENV_FOUND || strncmp(mark, w->nonce, nonce_len) != 0 || mark[nonce_len] != '-')
        return NAMES_NONE;
    int64_t id = strtoll(mark + nonce_len + 1, NULL, 10);
    const struct instance *in = world_instance(w, id);
    if (!in)
        return NAMES_GONE_BY_MARK;
    return c->facts->user(p->pid, &user) && may_be_of(in, user) ? id : NAMES_NONE;
}

static bool is_orphan(const struct census *c, const struct proc_info *p)
{
    return is_parent(c, p->ppid) || (c->stopping && p->ppid > 0 && (p->ppid == 1 || p->ppid == c->reaper));
}

static int64_t named(struct census *c, const struct proc_info *p)
{
    int64_t by_tag = named_by_tag(c, p);
    return by_tag == NAMES_NONE ? named_by_mark(c, p) : by_tag;
}

/* A child of ours, or of the keeper, that can only be there since an app started it. Not while apps are there
 * that we do not know, nor one that is just being born. */
static bool is_some_apps(const struct census *c, const struct proc_info *p)
{
    const struct world *w = c->world;
    bool keepers = p->ppid == w->keeper_pid && p->ppid != 1 && p->ppid != w->shared_keeper;
    return (p->ppid == c->self || keepers) && !w->unread &&
           (!w->ledger || ledger_find_child(w->ledger, p->pid) < 0);
}

static bool is_being_ended(const struct instance *in)
{
    return life_is_stopping(in->life) || in->life == LIFE_STUCK || (in->dirty && !in->pid);
}

/* Of a process that nothing names: the instance that is being stopped, if no other one that may have started
 * it lives on. */
static int64_t owner_by_elimination(const struct census *c, const struct proc_info *p)
{
    uid_t user;
    int64_t found = CENSUS_NOBODY;
    if (!c->stopping || !is_some_apps(c, p) || !c->facts->user(p->pid, &user))
        return CENSUS_NOBODY;
    for (size_t i = 0; i < c->n_ask && found == CENSUS_NOBODY; i++)
        if (is_being_ended(c->ask[i]) && c->ask[i]->app->spec->treekill &&
            (c->ask[i]->uid == 0 || user == 0 || may_be_of(c->ask[i], user)))
            found = c->ask[i]->id;
    list_each (l, &c->world->apps) {
        const struct app *a = container_of(l, struct app, link);
        for (size_t i = 0; i < a->n && found != CENSUS_NOBODY; i++) {
            const struct instance *in = a->instances[i];
            bool could = in->uid == 0 || in->uid == UID_UNKNOWN || user == 0 || in->uid == user;
            if (in->pid && could && !is_being_ended(in))
                found = CENSUS_NOBODY;
        }
    }
    return found;
}

static int64_t owner_of_orphan(struct census *c, const struct proc_info *p)
{
    if (!is_orphan(c, p) || census_is_dead(p) || map_get(&c->world->by_pid, (uint64_t)p->pid))
        return CENSUS_NOBODY;
    int64_t id = named(c, p);
    if (id == NAMES_NONE)
        return owner_by_elimination(c, p);
    return id >= 0 ? id : CENSUS_NOBODY;
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
        found = owner_of_orphan(c, p);
    return *owner = found;
}

bool census_is_unowned(struct census *c, const struct proc_info *p)
{
    for (int depth = 0; p && depth < 1000; depth++) {
        if (is_parent(c, p->pid) || census_owner(c, p) != CENSUS_NOBODY)
            return false;
        if (is_parent(c, p->ppid)) {
            int64_t id = named(c, p);
            return is_some_apps(c, p) && (id == NAMES_NONE || id == NAMES_GONE_BY_MARK);
        }
        p = find(c, p->ppid);
    }
    return false;
}
