#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/app.h"
#include "app/entry.h"
#include "base/log.h"
#include "base/time.h"

enum { WORK_MS = 8 }; /* of deferred work before descriptors are looked at again */

static void on_child(uv_signal_t *s, int signum)
{
    world_reap(container_of(s, struct world, child));
}

static void on_check(uv_check_t *c)
{
    world_work(container_of(c, struct world, worker));
}

static void on_idle(uv_idle_t *i)
{
}

void world_init(struct world *w, uv_loop_t *loop, const char *home)
{
    w->loop = loop;
    w->home = home;
    w->notify = -1;
    list_init(&w->apps);
    list_init(&w->environs);
    list_init(&w->spawns);
    list_init(&w->sweeps);
    list_init(&w->touched);
    uv_check_init(loop, &w->worker);
    uv_idle_init(loop, &w->awake);
    uv_signal_init(loop, &w->child);
    uv_timer_init(loop, &w->sample);
}

void world_run(struct world *w)
{
    uv_check_start(&w->worker, on_check);
    uv_signal_start(&w->child, on_child, SIGCHLD);
    world_reap(w);
}

void world_done(struct world *w)
{
    while (!list_empty(&w->apps))
        app_free(container_of(w->apps.next, struct app, link));
    uv_close((uv_handle_t *)&w->worker, NULL);
    uv_close((uv_handle_t *)&w->awake, NULL);
    uv_close((uv_handle_t *)&w->child, NULL);
    uv_close((uv_handle_t *)&w->sample, NULL);
    if (w->notify_address) {
        uv_poll_stop(&w->notify_poll);
        uv_close((uv_handle_t *)&w->notify_poll, NULL);
        text_free(&w->notify_address);
    }
    fd_done(&w->notify);
    map_done(&w->by_id);
    map_done(&w->by_pid);
    map_done(&w->by_stream);
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
    uv_idle_start(&w->awake, on_idle);
}

void world_defer_spawn(struct instance *in)
{
    defer(in->app->world, &in->app->world->spawns, &in->spawn_due);
}

void world_defer_sweep(struct instance *in)
{
    defer(in->app->world, &in->app->world->sweeps, &in->sweep_due);
}

void world_touch(struct app *a)
{
    defer(a->world, &a->world->touched, &a->touched);
}

void world_put(struct world *w)
{
    own_buf blob = { 0 };
    entry_of_world(w, &blob);
    keeper_link_put(w->keeper, "daemon", 0, &blob, NULL, 0);
}

static void spawn(struct instance *in)
{
    struct err e;
    if (in->life != LIFE_STARTING || in->pid)
        return; /* a stop came between */
    if (launch(in, &e) == 0)
        return;
    log_warn("%s %lld: %s", in->app->spec->name, (long long)in->id, e.text);
    instance_spawn_failed(in, &e);
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

/* A spawn waits until what was put before it is in the keeper's hands; `drained` brings us back here. */
static bool may_spawn(const struct world *w)
{
    return !list_empty(&w->spawns) && keeper_link_settled(w->keeper);
}

void world_work(struct world *w)
{
    int64_t until = time_mono_ms() + WORK_MS;
    work_sweeps(w);
    while (may_spawn(w) && time_mono_ms() <= until) {
        struct instance *in = container_of(w->spawns.next, struct instance, spawn_due);
        list_remove(&in->spawn_due);
        spawn(in);
    }
    while (!list_empty(&w->touched)) {
        struct app *a = container_of(w->touched.next, struct app, touched);
        list_remove(&a->touched);
        w->advance(w->arg, a);
    }
    if (list_empty(&w->sweeps) && !may_spawn(w))
        uv_idle_stop(&w->awake);
}

static struct exit_status status_of(const siginfo_t *info)
{
    struct exit_status x = { .known = true };
    if (info->si_code == CLD_EXITED)
        x.code = info->si_status;
    else
        x.signal = info->si_status;
    x.core = info->si_code == CLD_DUMPED;
    return x;
}

/* An exit is peeked at, answered (the answer is in the keeper's hands), and only then reaped: a daemon killed
 * in between leaves a zombie that the keeper reaps, or an entry that knows already. Never both, never none.
 */
void world_reap(struct world *w)
{
    while (keeper_link_settled(w->keeper)) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        struct instance *in = map_get(&w->by_pid, (uint64_t)info.si_pid);
        struct exit_status x = status_of(&info);
        if (in && in->app->spec->treekill && !life_is_stopping(in->life))
            kill(-info.si_pid,
                 SIGKILL); /* the zombie still holds the number: its group cannot be another's */
        if (in)
            instance_exited(in, &x);
        waitpid(info.si_pid, NULL, 0);
    }
}
