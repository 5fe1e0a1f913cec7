/* A change waits until it has been quiet for watch_delay, then until no instance is on its way to be
 * restarted, and then restarts those whose child is older than it. A stop wins, and what is stopped stays so.
 */
#include "app/watching.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "conf/keys.h"
#include "logs/target.h"
#include "watch/debounce.h"
#include "watch/watcher.h"

enum { REST_MOST = 20 }; /* ms that news may gather while they come thick and fast */

struct watching {
    struct app *app; /* NULL: it is to be freed */
    struct watcher *watcher;
    struct debounce debounce; /* mono ms */
    uint64_t hits;
    bool checking;
    int64_t fired; /* wall ms: the last restart; 0: none yet */
    char *fired_path;
    size_t fired_count;
    bool told_problem;
    uv_timer_t timer;
};

/* Restarting ------------------------------------------------------------------------------------------- */

/* Relative to the app's cwd, where that is shorter. */
static const char *shown(const struct app *a, const char *path)
{
    size_t n = strlen(a->spec->cwd);
    return strncmp(path, a->spec->cwd, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

/* What is being restarted will see the change, or be restarted once it is up. */
static bool is_on_its_way(const struct app *a)
{
    for (size_t i = 0; i < a->n; i++) {
        enum life l = a->instances[i]->life;
        if (l == LIFE_RESTARTING || l == LIFE_FAILING || l == LIFE_STARTING)
            return true;
    }
    return false;
}

static bool is_wanted(const struct instance *in, int64_t changed)
{
    if (in->life == LIFE_ONLINE)
        return in->started_mono <= changed;
    return in->life == LIFE_WAITING || in->life == LIFE_ERRORED;
}

/* The files are other ones: what happened with the ones before says nothing about them. */
static void restart(struct instance *in, const char *reason)
{
    in->memory = (struct policy_memory){ 0 };
    if (in->life == LIFE_ERRORED) {
        in->restarts++;
        in->counters[CAUSE_WATCH]++;
    }
    instance_set_reason(in, "%s", reason);
    instance_feed(in, EV_RESTART, CAUSE_WATCH);
}

static void note(struct watching *w, const struct changes *c)
{
    free(w->fired_path);
    w->fired_path = xstrdup(shown(w->app, c->first ? c->first : "?"));
    w->fired_count = changes_count(c);
    w->fired = time_wall_ms();
}

static void fire(struct watching *w)
{
    struct app *a = w->app;
    int64_t changed = w->debounce.last;
    note(w, watcher_changes(w->watcher));
    watcher_forget_changes(w->watcher);
    w->debounce = (struct debounce){ 0 };
    own_text reason = w->fired_count > 1
                          ? xasprintf("%s and %zu more changed", w->fired_path, w->fired_count - 1)
                          : xasprintf("%s changed", w->fired_path);
    for (size_t i = 0; i < a->n; i++) {
        struct instance *in = a->instances[i];
        if (!is_wanted(in, changed))
            continue;
        log_info("%s %lld: %s: restart", a->spec->name, (long long)in->id, reason);
        restart(in, reason);
    }
}

static void drop(struct watching *w)
{
    log_info("%s: %s: written again as it was, no restart", w->app->spec->name,
             shown(w->app, watcher_changes(w->watcher)->first));
    watcher_forget_changes(w->watcher);
    w->debounce = (struct debounce){ 0 };
}

static void on_timer(uv_timer_t *t);

/* What is there to do about what has changed? It is asked whenever something may have become possible. */
static void look(struct watching *w)
{
    int64_t due = debounce_due(&w->debounce, w->app->spec->watch_delay), now = time_mono_ms();
    if (!due)
        return;
    if (due > now) {
        uv_update_time(w->timer.loop);
        uv_timer_start(&w->timer, on_timer, (uint64_t)(due - now), 0);
        return;
    }
    if (watcher_is_busy(w->watcher) || is_on_its_way(w->app))
        return;
    enum watcher_answer answer = watcher_take_answer(w->watcher);
    if (!w->app->spec->watch_content || answer == WATCHER_DIFFERS)
        fire(w);
    else if (answer == WATCHER_SAME)
        drop(w);
    else
        watcher_check(w->watcher);
}

static void on_timer(uv_timer_t *t)
{
    look(container_of(t, struct watching, timer));
}

static void tell_problem(struct watching *w)
{
    const struct tree_state s = watcher_state(w->watcher);
    if (!s.problem || w->told_problem)
        return;
    w->told_problem = true;
    log_warn("%s: watch: %s%s", w->app->spec->name, s.problem,
             s.polled ? "; what has no watch is looked at every few seconds" : "");
}

static void on_told(void *arg)
{
    struct watching *w = arg;
    if (watcher_hits(w->watcher) != w->hits) {
        w->hits = watcher_hits(w->watcher);
        debounce_add(&w->debounce, time_mono_ms());
        watcher_take_answer(w->watcher); /* it was about less */
    }
    tell_problem(w);
    look(w);
}

/* Beginning and end ------------------------------------------------------------------------------------ */

/* What an instance writes to is not among what restarts it. */
static char **own_logs(const struct app *a)
{
    char **logs = NULL;
    for (int i = 0; i < OUTLET_N && a->n; i++) {
        char *path = instance_log_path(a->instances[0], i);
        logs = strv_take(strv_take(logs, path), target_of(path));
    }
    return logs;
}

static struct tree *tree_of(const struct app *a)
{
    const struct app_spec *s = a->spec;
    own_strv logs = own_logs(a);
    char *cwd[] = { s->cwd, NULL };
    struct rules_spec rules = {
        .base = s->cwd, .ignore = s->watch_ignore, .home = a->world->home, .own_logs = logs
    };
    struct tree_spec tree = { .roots = key_is_set(key_find("watch_paths"), s) ? s->watch_paths : cwd,
                              .take_rules = rules_new(&rules),
                              .content = s->watch_content };
    return tree_new(&tree);
}

static void begin(struct app *a)
{
    struct watching *w = a->watching = xnew(struct watching);
    w->app = a;
    uv_timer_init(a->world->loop, &w->timer);
    w->watcher = watcher_new(a->world->loop, tree_of(a), MIN(a->spec->watch_delay / 10, (int64_t)REST_MOST),
                             on_told, w);
}

static void on_closed(uv_handle_t *h)
{
    struct watching *w = container_of((uv_timer_t *)h, struct watching, timer);
    free(w->fired_path);
    free(w);
}

void watching_free(struct app *a)
{
    struct watching *w = steal(a->watching);
    if (!w)
        return;
    w->watcher = watcher_free(w->watcher);
    uv_timer_stop(&w->timer);
    uv_close((uv_handle_t *)&w->timer, on_closed);
}

void watching_settle(struct app *a)
{
    watching_free(a);
    if (a->spec->watch)
        world_touch(a);
}

static bool is_any_alive(const struct app *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->instances[i]->life != LIFE_STOPPED)
            return true;
    return false;
}

/* The oldest child's beginning. What is about to be started will see all there is now. */
static int64_t oldest(const struct app *a)
{
    int64_t oldest = time_wall_ms();
    for (size_t i = 0; i < a->n; i++) {
        const struct instance *in = a->instances[i];
        bool counts = in->pid || in->life == LIFE_WAITING || in->life == LIFE_ERRORED;
        if (counts && in->started_wall)
            oldest = MIN(oldest, in->started_wall);
    }
    return oldest;
}

void watching_advance(struct app *a)
{
    bool wanted = a->spec->watch && !a->removing && is_any_alive(a);
    if (!wanted) {
        watching_free(a);
        return;
    }
    if (!a->watching)
        begin(a);
    watcher_set_newer(a->watching->watcher, oldest(a));
    look(a->watching);
}

/* For people ------------------------------------------------------------------------------------------- */

static void write_fired(const struct watching *w, struct json_out *j)
{
    json_time(j, "fired_at", w ? w->fired : 0);
    json_str(j, "fired_path", w ? w->fired_path : NULL);
    json_int(j, "fired_count", w ? (int64_t)w->fired_count : 0);
}

void watching_write_short(const struct app *a, struct json_out *j, const char *key)
{
    const struct watching *w = a->watching;
    if (!w) {
        json_null_at(j, key);
        return;
    }
    const struct tree_state s = watcher_state(w->watcher);
    json_open(j, key, '{');
    json_int(j, "folders", (int64_t)s.folders);
    json_int(j, "polled", (int64_t)s.polled);
    json_str(j, "problem", s.problem);
    write_fired(w, j);
    json_close(j, '}');
}

void watching_write(const struct app *a, struct json_out *j)
{
    const struct watching *w = a->watching;
    bool busy = w && watcher_is_busy(w->watcher);
    json_str(j, "state", !a->spec->watch ? "off" : !w ? "stopped" : busy ? "scanning" : "watching");
    watching_write_short(a, j, "watch");
    json_int(j, "watch_delay_ms", a->spec->watch_delay);
    json_open(j, "rules", '[');
    for (const char *const *rule = rules_always; *rule; rule++)
        json_str(j, NULL, *rule);
    for (char *const *rule = a->spec->watch_ignore; rule && *rule; rule++)
        json_str(j, NULL, *rule);
    json_close(j, ']');
    if (w && !busy)
        watcher_write(w->watcher, j);
}
