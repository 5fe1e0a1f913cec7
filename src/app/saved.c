#include "app/saved.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/entry.h"
#include "base/fault.h"
#include "base/time.h"
#include "conf/keys.h"
#include "conf/limits.h"
#include "config.h"

static const char mark[] = "velos_state"; /* the member that makes it one of ours: its version */

/* Writing. */

static void new_line(struct json_out *j)
{
    if (j->comma)
        buf_addc(j->to, ',');
    j->comma = false;
    buf_addc(j->to, '\n');
}

static const char *wish(const struct instance *in)
{
    switch (in->life) {
    case LIFE_STOPPED:
    case LIFE_STOPPING:
        return "stopped";
    case LIFE_ERRORED:
    case LIFE_STUCK:
        return "errored";
    default:
        return "running";
    }
}

static void write_instance(struct json_out *j, const struct instance *in)
{
    const char *status = wish(in);
    new_line(j);
    json_open(j, NULL, '{');
    json_int(j, "id", in->id);
    json_int(j, "index", in->index);
    json_str(j, "status", status);
    if (strcmp(status, "errored") == 0) {
        json_str(j, "cause", cause_name(in->cause));
        json_str(j, "reason", in->reason);
    }
    entry_write_past(j, in);
    json_close(j, '}');
}

static void environ_name(const struct environ_blob *b, char out[20])
{
    snprintf(out, 20, "%016llx", (unsigned long long)b->hash);
}

static void write_app(struct json_out *j, const struct app *a)
{
    char name[20];
    new_line(j);
    json_open(j, NULL, '{');
    json_int(j, "created", a->created);
    json_int(j, "umask", a->umask);
    json_int(j, "nofile", a->nofile);
    if (a->limits)
        json_raw(j, "limits", a->limits);
    if (a->base) {
        environ_name(a->base, name);
        json_str(j, "environ", name);
    }
    keys_write_json(a->spec, j, "spec");
    json_open(j, "instances", '[');
    for (size_t i = 0; i < a->n; i++)
        write_instance(j, a->instances[i]);
    json_close(j, ']');
    json_close(j, '}');
}

static void write_environ(struct json_out *j, const struct environ_blob *b)
{
    char name[20];
    environ_name(b, name);
    new_line(j);
    json_open(j, name, '[');
    for (const char *p = b->data; p < b->data + b->len; p += strlen(p) + 1)
        json_str(j, NULL, p);
    json_close(j, ']');
}

size_t saved_write(const struct world *w, struct buf *out)
{
    struct json_out j = JSON_OUT(out);
    size_t n = 0;
    json_open(&j, NULL, '{');
    json_int(&j, mark, SAVED_VERSION);
    json_str(&j, "velos", VELOS_VERSION);
    json_time(&j, "saved_at", time_wall_ms());
    json_int(&j, "next_id", w->next_id);
    new_line(&j);
    json_open(&j, "apps", '[');
    list_each (l, &w->apps) {
        const struct app *a = container_of(l, struct app, link);
        if (a->removing)
            continue;
        write_app(&j, a);
        n++;
    }
    json_close(&j, ']');
    new_line(&j);
    json_open(&j, "environs", '{');
    list_each (l, &w->environs)
        write_environ(&j, container_of(l, struct environ_blob, link));
    json_close(&j, '}');
    json_close(&j, '}');
    buf_addc(out, '\n');
    return n;
}

/* Reading: is it what we write? */

static int damaged(struct err *e, size_t app, const char *what)
{
    return err_set(e, ERR_PARSE, "apps[%zu]: %s", app, what);
}

static int check_app(const json_t *app, size_t i, struct err *e)
{
    size_t k;
    json_t *in;
    const json_t *instances = json_object_get(app, "instances");
    if (!json_is_object(json_object_get(app, "spec")))
        return damaged(e, i, "spec: an object is expected");
    if (!json_get_str(json_object_get(app, "spec"), "name", NULL))
        return damaged(e, i, "spec.name: a text is expected");
    if (!json_is_array(instances) || json_array_size(instances) > INSTANCES_MOST)
        return damaged(e, i, "instances: an array is expected");
    json_array_foreach(instances, k, in)
    {
        if (json_get_int(in, "id", -1) < 0 || !json_get_str(in, "status", NULL))
            return damaged(e, i, "instances: id and status are expected of each");
    }
    return 0;
}

static int check(const json_t *o, struct err *e)
{
    size_t i;
    json_t *app;
    int64_t version = json_get_int(o, mark, 0);
    if (version < 1)
        return err_set(e, ERR_PARSE, "%s: the version of the format is expected, as an integer", mark);
    if (version > SAVED_VERSION) {
        err_set(e, ERR_VERSION,
                "is of format %lld, written by velos %s; this velos (" VELOS_VERSION ") reads up to %d",
                (long long)version, json_get_str(o, "velos", "?"), SAVED_VERSION);
        return err_hint(e, "install that version again, or move the file away");
    }
    if (!json_is_array(json_object_get(o, "apps")) || !json_is_object(json_object_get(o, "environs")))
        return err_set(e, ERR_PARSE, "apps (an array) and environs (an object) are expected");
    json_array_foreach(json_object_get(o, "apps"), i, app)
    {
        if (check_app(app, i, e) < 0)
            return -1;
    }
    return 0;
}

int saved_parse(const char *text, size_t n, json_t **out, struct err *e)
{
    own_json o = NULL;
    if (json_parse(text, n, &o, e) < 0 || check(o, e) < 0)
        return -1;
    *out = steal(o);
    return 0;
}

const char *saved_is_unreadable(const char *text, size_t n)
{
    own_json o = NULL;
    struct err e;
    if (saved_parse(text, n, &o, &e) == 0)
        return NULL;
    return e.code == ERR_VERSION ? "newer" : "damaged";
}

size_t saved_len(const json_t *saved)
{
    return json_array_size(json_object_get(saved, "apps"));
}

static const json_t *app_at(const json_t *saved, size_t i)
{
    return json_array_get(json_object_get(saved, "apps"), i);
}

const char *saved_name(const json_t *saved, size_t i)
{
    return json_get_str(json_object_get(app_at(saved, i), "spec"), "name", "?");
}

/* Restoring. */

void saved_begin(struct world *w, const json_t *saved)
{
    w->next_id = MAX(w->next_id, json_get_int(saved, "next_id", 0));
}

static char **read_environ(const json_t *saved, const json_t *app)
{
    size_t i;
    json_t *v;
    char **env = xcalloc(1, sizeof(*env));
    const json_t *list =
        json_object_get(json_object_get(saved, "environs"), json_get_str(app, "environ", ""));
    json_array_foreach(list, i, v)
    {
        if (json_is_string(v))
            env = strv_take(env, json_uncarry(xstrdup(json_string_value(v))));
    }
    return env;
}

static void restore_instance(struct app *a, const json_t *o, bool dry)
{
    struct world *w = a->world;
    int64_t id = json_get_int(o, "id", -1);
    own_text key = xasprintf("in/%lld", (long long)id); /* of an app that could not be read, perhaps */
    bool taken = world_instance(w, id) || ledger_has(w->ledger, key);
    struct instance *in = instance_new(a, (int)a->n, taken ? w->next_id : id);
    entry_read_past(in, o);
    const char *status = json_get_str(o, "status", ""), *reason = json_get_str(o, "reason", NULL);
    if (strcmp(status, "errored") == 0) {
        instance_restore(in, LIFE_ERRORED, cause_find(json_get_str(o, "cause", "")));
        if (reason)
            instance_set_reason(in, "%s", reason);
    } else if (strcmp(status, "running") == 0 && !dry) {
        instance_restore(in, LIFE_WAITING, CAUSE_MANUAL);
    }
}

/* `max` instances on a machine with more processors than there were: as the first one is, so are the new
 * ones. */
static void fill_up(struct app *a)
{
    bool run = a->n && a->instances[0]->life == LIFE_WAITING;
    while ((int)a->n < app_instances_wanted(a->spec)) {
        struct instance *in = instance_new(a, (int)a->n, a->world->next_id);
        if (run)
            instance_restore(in, LIFE_WAITING, CAUSE_MANUAL);
    }
}

static int read_spec(const json_t *app, struct app_spec **out, struct err *e)
{
    own_app_spec spec = NULL;
    const char *name = json_get_str(json_object_get(app, "spec"), "name", "?");
    if (keys_read_json(json_object_get(app, "spec"), true, &spec, e) < 0)
        return err_in(e, "%.64s", name);
    if (!spec->name || !spec->script || !spec->cwd)
        return err_set(e, ERR_CONFIG, "%.64s: name, script and cwd are required", name);
    *out = steal(spec);
    return 0;
}

int saved_restore(struct world *w, const json_t *saved, size_t i, bool dry, struct app **out, struct err *e)
{
    const json_t *o = app_at(saved, i);
    own_app_spec spec = NULL;
    if (read_spec(o, &spec, e) < 0)
        return -1;
    assert(spec);
    if ((*out = world_find(w, spec->name)))
        return 0;
    own_strv env = read_environ(saved, o);
    own_text limits = NULL;
    if (limits_take(json_object_get(o, "limits"), &limits, e) < 0)
        return err_in(e, "%.64s", spec->name);
    struct app_origin origin = {
        .env = env,
        .umask = (unsigned)json_get_int(o, "umask", 022) & 0777,
        .nofile = (long)json_get_int(o, "nofile", 0),
        .limits = limits,
    };
    struct app *a = app_new_bare(w, steal(spec), &origin);
    size_t k;
    json_t *in;
    a->created = json_get_int(o, "created", a->created);
    json_array_foreach(json_object_get(o, "instances"), k, in) restore_instance(a, in, dry);
    fill_up(a);
    /* The app's entry comes last: a daemon that dies before it has made nothing, one that dies behind it all.
     */
    for (k = 0; k < a->n; k++)
        instance_put(a->instances[k]);
    fault_point("resurrect.instances");
    entry_put_app(a);
    fault_point("resurrect.app");
    *out = a;
    return 1;
}
