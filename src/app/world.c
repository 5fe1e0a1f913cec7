#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/app.h"
#include "app/entry.h"
#include "app/strays.h"
#include "app/timetable.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/time.h"
#include "os/procstat.h"
#include "os/sigchild.h"
#include "os/spawn.h"

enum { SWEEP_AGAIN_MS = 200, WORK_MS = 1 }; /* of deferred work before descriptors are looked at again */

static void on_child(uv_poll_t *p, int status, int events)
{
    struct world *w = container_of(p, struct world, child);
    os_sigchild_drain(w->sigchild);
    world_reap(w);
}

static void on_check(uv_check_t *c)
{
    world_work(container_of(c, struct world, worker));
}

static void on_idle(uv_idle_t *i)
{
}

int world_init(struct world *w, uv_loop_t *loop, const char *home, struct err *e)
{
    w->loop = loop;
    w->home = home;
    w->ledger_fd = w->slot = w->settings_slot = w->boot_slot = -1;
    w->settings = settings_new();
    w->doors[DOOR_HOME].fd = w->doors[DOOR_USERS].fd = -1;
    w->transit[0] = w->transit[1] = w->transit[2] = -1;
    list_init(&w->apps);
    list_init(&w->environs);
    list_init(&w->births);
    list_init(&w->spawns);
    list_init(&w->sweeps);
    list_init(&w->touched);
    uv_check_init(loop, &w->worker);
    uv_idle_init(loop, &w->awake);
    w->sigchild = os_sigchild_open();
    if (w->sigchild < 0)
        return err_sys(e, "signalfd");
    int r = uv_poll_init(loop, &w->child, w->sigchild);
    if (r < 0)
        return err_set(e, ERR_FAILED, "poll of the signalfd: %s", uv_strerror(r));
    uv_timer_init(loop, &w->sample);
    uv_timer_init(loop, &w->again);
    return 0;
}

void world_run(struct world *w)
{
    uv_check_start(&w->worker, on_check);
    uv_poll_start(&w->child, UV_READABLE, on_child);
    world_reap(w);
}

void world_done(struct world *w)
{
    while (!list_empty(&w->apps))
        app_free(container_of(w->apps.next, struct app, link));
    timekeeper_free(w);
    uv_close((uv_handle_t *)&w->worker, NULL);
    uv_close((uv_handle_t *)&w->awake, NULL);
    uv_poll_stop(&w->child);
    uv_close((uv_handle_t *)&w->child, NULL);
    fd_done(&w->sigchild);
    uv_close((uv_handle_t *)&w->sample, NULL);
    uv_close((uv_handle_t *)&w->again, NULL);
    world_done_notify(w);
    w->ledger = ledger_free(w->ledger);
    fd_done(&w->ledger_fd);
    free(w->strangers.pids);
    strays_done(&w->strays);
    for (int i = 0; i < TRANSIT_FDS; i++)
        fd_done(&w->transit[i]);
    outlet_done_abandoned(w);
    map_done(&w->by_id);
    map_done(&w->by_pid);
    w->settings = settings_free(w->settings);
    text_free(&w->update);
    json_decref(w->unknown);
}

struct app *world_find(const struct world *w, const char *name)
{
    list_each (l, &w->apps) {
        struct app *a = container_of(l, struct app, link);
        if (strcmp(a->spec->name, name) == 0)
            return a;
    }
    return NULL;
}

struct instance *world_instance(const struct world *w, int64_t id)
{
    return id < 0 ? NULL : map_get(&w->by_id, (uint64_t)id + 1);
}

static void defer(struct world *w, struct link *list, struct link *l)
{
    if (!list_linked(l))
        list_append(list, l);
    world_wake(w);
}

/* Who has its pipes goes before those that have yet to open them: of many that start at once the first
 * children run while the pump opens the files of the next. */
void world_defer_spawn(struct instance *in)
{
    struct world *w = in->app->world;
    defer(w, instance_has_outlets(in) ? &w->births : &w->spawns, &in->spawn_due);
}

void world_wake(struct world *w)
{
    uv_idle_start(&w->awake, on_idle);
}

void world_defer_sweep(struct instance *in)
{
    defer(in->app->world, &in->app->world->sweeps, &in->sweep_due);
}

static void on_again(uv_timer_t *t)
{
    struct world *w = container_of(t, struct world, again);
    list_each (l, &w->apps) {
        const struct app *a = container_of(l, struct app, link);
        for (size_t i = 0; i < a->n; i++)
            if (life_is_stopping(a->instances[i]->life) || a->instances[i]->life == LIFE_STUCK ||
                a->instances[i]->dirty)
                world_defer_sweep(a->instances[i]);
    }
}

void world_sweep_later(struct world *w)
{
    if (!uv_is_active((uv_handle_t *)&w->again))
        uv_timer_start(&w->again, on_again, SWEEP_AGAIN_MS, 0);
}

void world_touch(struct app *a)
{
    defer(a->world, &a->world->touched, &a->touched);
}

/* Before the first app: the children that the keeper has by now, beside us, are no app's, nor are the orphans
 * that come of them. What executed it may have had children (a shell's `helper & exec velos daemon`). */
void world_meet_keeper(struct world *w)
{
    pid_t *children;
    ssize_t n = w->seq || w->n_apps ? -1 : procstat_children(w->keeper_pid, &children);
    bool others = false;
    for (ssize_t i = 0; i < n; i++)
        others |= children[i] != getpid();
    if (n >= 0)
        free(children);
    if (!others)
        return;
    w->shared_keeper = w->keeper_pid;
    world_put(w);
}

void world_put(struct world *w)
{
    entry_put_world(w);
}

/* Answers all that ask for a sweep with one pass. */
static void work_sweeps(struct world *w)
{
    if (list_empty(&w->sweeps))
        return;
    struct instance **ask = xcalloc(w->n_instances, sizeof(struct instance *));
    size_t n = 0;
    while (!list_empty(&w->sweeps)) {
        ask[n] = container_of(w->sweeps.next, struct instance, sweep_due);
        list_remove(&ask[n++]->sweep_due);
    }
    sweep(w, ask, n);
    free(ask);
}

/* start_concurrency: so many more may be on their way to ready. Each change of a life brings us back here. */
static size_t room_to_start(struct world *w)
{
    int64_t most = w->settings->start_concurrency, n = 0;
    if (most == 0)
        return SIZE_MAX;
    list_each (l, &w->apps) {
        const struct app *a = container_of(l, struct app, link);
        for (size_t i = 0; i < a->n; i++)
            n += a->instances[i]->life == LIFE_STARTING && a->instances[i]->pid;
    }
    return n < most ? (size_t)(most - n) : 0;
}

/* A spawn waits until the descriptors that were put before it are in the keeper's hands; `drained` brings us
 * back here. */
static bool may_spawn(struct world *w)
{
    return !(list_empty(&w->births) && list_empty(&w->spawns)) && keeper_link_settled(w->keeper) &&
           room_to_start(w) > 0;
}

/* The first of a list that still wants it. */
static struct instance *take(struct link *list)
{
    while (!list_empty(list)) {
        struct instance *in = container_of(list->next, struct instance, spawn_due);
        list_remove(&in->spawn_due);
        if (in->life == LIFE_STARTING && !in->pid &&
            !in->dirty) /* else a stop came between, or sweep.c does */
            return in;
    }
    return NULL;
}

static bool has_many(const struct link *list)
{
    size_t n = 0;
    for (const struct link *l = list->next; l != list && n < OS_BIRTHS; l = l->next)
        n++;
    return n == OS_BIRTHS;
}

/* Births come together, as many as go side by side; until there are so many, those that have yet to open
 * their pipes do. */
static void work_spawns(struct world *w)
{
    struct link *list = list_empty(&w->spawns) || has_many(&w->births) ? &w->births : &w->spawns;
    size_t most = list == &w->births ? MIN((size_t)OS_BIRTHS, room_to_start(w)) : 1, n = 0;
    struct instance *ins[OS_BIRTHS];
    while (n < most && (ins[n] = take(list)))
        n++;
    launch(ins, n);
    w->spawning = true;
}

static void rest(struct world *w)
{
    uv_idle_stop(&w->awake);
    if (w->spawning)
        os_spawn_rest();
    w->spawning = false;
}

void world_work(struct world *w)
{
    int64_t until = time_mono_ms() + WORK_MS;
    work_sweeps(w);
    while (time_mono_ms() <= until && may_spawn(w))
        work_spawns(w);
    while (!list_empty(&w->touched)) {
        struct app *a = container_of(w->touched.next, struct app, touched);
        list_remove(&a->touched);
        w->advance(w->arg, a);
    }
    if (list_empty(&w->sweeps) && !may_spawn(w))
        rest(w);
}

static struct exit_status status_of(const siginfo_t *info)
{
    struct exit_status x = { .known = true };
    if (info->si_code == CLD_EXITED)
        x.code = (uint8_t)info->si_status;
    else
        x.signal = (uint8_t)info->si_status;
    x.core = info->si_code == CLD_DUMPED;
    return x;
}

/* An exit is peeked at, answered (the answer is in the ledger), and only then reaped: a daemon killed in
 * between leaves a zombie that the keeper reaps, or an entry that knows already. Never both, never none. */
void world_reap(struct world *w)
{
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        struct instance *in = map_get(&w->by_pid, (uint64_t)info.si_pid);
        struct exit_status x = status_of(&info);
        if (in && in->adopted)
            in = NULL; /* an orphan of ours has got the number of one that the keeper reaped */
        if (in && in->app->spec->treekill && !life_is_stopping(in->life))
            kill(-info.si_pid,
                 SIGKILL); /* the zombie still holds the number: its group cannot be another's */
        fault_point("reap.seen");
        if (in)
            instance_exited(in, &x);
        fault_point("reap.answered");
        waitpid(info.si_pid, NULL, 0);
        fault_point("reap.done");
    }
}
