#include "app/app.h"

#include <stdlib.h>
#include <string.h>

#include "app/entry.h"
#include "app/timetable.h"
#include "app/token.h"
#include "app/watching.h"
#include "base/fault.h"
#include "base/shared.h"
#include "base/time.h"
#include "conf/keys.h"
#include "os/cpus.h"

int app_instances_wanted(const struct app_spec *spec)
{
    return spec->instances == INSTANCES_MAX ? os_cpus() : (int)spec->instances;
}

struct label *label_of(const struct app_spec *spec)
{
    size_t n = strlen(spec->name) + 1, m = strlen(spec->ns) + 1;
    struct label *l = xmalloc(sizeof(*l) + n + m);
    l->refs = 1;
    l->name = memcpy(l->text, spec->name, n);
    l->ns = memcpy(l->text + n, spec->ns, m);
    return l;
}

struct label *label_ref(struct label *l)
{
    l->refs++;
    return l;
}

void label_unref(struct label *l)
{
    if (--l->refs == 0)
        free(l);
}

static void drop_environ(struct world *w, struct environ_blob *b)
{
    if (b && b->refs == 1)
        entry_forget_environ(w, b);
    environ_unref(b);
}

static struct environ_blob *intern(const struct app *a, char *const *env)
{
    own_buf text = { 0 };
    bool made;
    environ_filter(env, &a->spec->inherit_env, &text);
    struct environ_blob *b = environ_intern(&a->world->environs, text.len ? text.data : "", text.len, &made);
    if (made)
        entry_put_environ(a->world, b);
    return b;
}

void app_set_environ(struct app *a, char *const *env)
{
    struct environ_blob *before = a->base;
    a->base = intern(a, env);
    entry_put_app(a);
    drop_environ(a->world, before);
}

struct app *app_new_bare(struct world *w, struct app_spec *take_spec, const struct app_origin *o)
{
    struct app *a = xnew(struct app);
    world_meet_keeper(w);
    a->world = w;
    a->slot = -1;
    a->spec = take_spec;
    a->label = label_of(a->spec);
    settings_fill_in(w->settings, a->spec);
    a->umask = o->umask;
    a->nofile = o->nofile;
    shared_set(&a->limits, o->limits);
    a->created = time_wall_ms();
    own_text recorded = token_record(TOKEN_START, o->token);
    shared_set(&a->token, recorded);
    list_init(&a->requests);
    list_init(&a->touched);
    list_append(&w->apps, &a->link);
    w->n_apps++;
    timetable_settle(a, NULL);
    watching_settle(a);
    a->base = intern(a, o->env);
    return a;
}

struct app *app_new(struct world *w, struct app_spec *take_spec, const struct app_origin *o)
{
    struct app *a = app_new_bare(w, take_spec, o);
    a->is_new = true;
    entry_put_app(a);
    fault_point("start.app");
    app_grow(a, app_instances_wanted(a->spec));
    fault_point("start.instances");
    return a;
}

void app_grow(struct app *a, int wanted)
{
    while ((int)a->n < wanted)
        instance_put(instance_new(a, (int)a->n, a->world->next_id));
}

void app_set_instances(struct app *a, int64_t n, const char *token)
{
    own_text recorded = token_record(TOKEN_SCALE, token);
    shared_set(&a->token, recorded);
    a->spec->instances = n;
    a->spec->set |= UINT64_C(1) << (key_find("instances") - keys);
    entry_put_app(a);
    fault_point("scale.noted");
}

void app_set_spec(struct app *a, struct app_spec *take_spec, char *const *env)
{
    app_spec_free(a->spec);
    label_unref(a->label);
    a->spec = take_spec;
    a->label = label_of(a->spec);
    settings_fill_in(a->world->settings, a->spec);
    timetable_settle(a, NULL);
    watching_settle(a);
    app_set_environ(a, env);
    for (size_t i = 0; i < a->n; i++)
        for (int k = 0; k < OUTLET_N; k++)
            if (a->instances[i]->outlets[k])
                outlet_retarget(a->instances[i]->outlets[k]);
    app_grow(a, app_instances_wanted(a->spec));
}

int app_try(struct app *a, struct app_spec *spec, char *const *env, struct err *e)
{
    struct app_spec *spec_now = a->spec;
    struct environ_blob *base_now = a->base;
    if (spec)
        a->spec = spec;
    if (env)
        a->base = intern(a, env);
    int r = a->n ? launch_try(a->instances[0], e) : 0;
    if (env)
        drop_environ(a->world, a->base);
    a->spec = spec_now;
    a->base = base_now;
    return r;
}

void app_free(struct app *a)
{
    struct world *w = a->world;
    while (a->n)
        instance_free(a->instances[a->n - 1]);
    list_remove(&a->link);
    list_remove(&a->touched);
    w->n_apps--;
    environ_unref(a->base);
    timetable_free(a);
    watching_free(a);
    app_spec_free(a->spec);
    label_unref(a->label);
    free(a->instances);
    shared_set(&a->token, NULL);
    shared_set(&a->limits, NULL);
    json_decref(a->unknown);
    free(a);
}

void app_forget(struct app *a)
{
    fault_point("delete.app");
    entry_forget_app(a);
    drop_environ(a->world, steal(a->base));
    app_free(a);
}

enum life app_life(const struct app *a)
{
    static const enum life most_telling[] = {
        LIFE_STUCK,      LIFE_ERRORED,  LIFE_WAITING,  LIFE_FAILING,
        LIFE_RESTARTING, LIFE_STOPPING, LIFE_STARTING, LIFE_ONLINE,
    };
    for (size_t l = 0; l < ARRAY_LEN(most_telling); l++)
        for (size_t i = 0; i < a->n; i++)
            if (a->instances[i]->life == most_telling[l])
                return most_telling[l];
    return LIFE_STOPPED;
}
