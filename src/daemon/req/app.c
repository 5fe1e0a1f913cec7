/* app.start, stop, restart, reload, delete. */
#include <stdlib.h>
#include <string.h>

#include "app/select.h"
#include "app/token.h"
#include "conf/keys.h"
#include "conf/limits.h"
#include "daemon/op.h"

/* A JSON array of texts as a strv; NULL if absent. */
static char **read_texts(const json_t *array)
{
    if (!json_is_array(array))
        return NULL;
    size_t n = json_array_size(array), used = 0;
    char **v = xcalloc(n + 1, sizeof(*v));
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (text)
            v[used++] = json_uncarry(xstrdup(text));
    }
    return v;
}

/* Does starting this app make sense at all? Wrong paths and a missing interpreter are told before anything is
 * made: the same resolution every spawn does. */
static int start_new(struct request *r, struct op *o, struct app_spec *take_spec, char *const *env,
                     const char *limits)
{
    struct app_origin origin = {
        .env = env,
        .umask = (unsigned)json_get_int(r->params, "umask", 022) & 0777,
        .nofile = (long)json_get_int(r->params, "nofile", 0),
        .limits = limits,
        .token = r->token,
    };
    struct app *a = app_new(&r->daemon->world, take_spec, &origin);
    if (!a->spec->autostart) {
        a->is_new = false;
        op_add_unchanged(o, a);
        return 0;
    }
    op_add(o, a, OP_START);
    return 0;
}

static bool is_idle(const struct app *a)
{
    enum life l = app_life(a);
    return l == LIFE_STOPPED || l == LIFE_ERRORED;
}

static void refuse_deleted(struct op *o, const char *name)
{
    struct err e;
    err_set(&e, ERR_EXISTS, "%s: is being deleted", name);
    err_hint(&e, "try again");
    op_add_error(o, name, &e);
}

/* The name is taken. A repeated request made the app itself; a file's apps take the new settings when idle,
 * or about to be. */
static void start_taken(struct request *r, struct op *o, struct app *a, struct app_spec *take_spec,
                        char *const *env, bool apply)
{
    struct err e;
    if (r->retry && token_matches(a->token, TOKEN_START, r->token)) {
        app_spec_free(take_spec);
        op_add(o, a, OP_START);
    } else if (!apply) {
        err_set(&e, ERR_EXISTS, "%s: the name is taken by %s", take_spec->name, a->spec->script);
        err_hint(&e, "velos restart %s, velos delete %s first, or choose another --name", take_spec->name,
                 take_spec->name);
        op_add_error(o, take_spec->name, &e);
        app_spec_free(take_spec);
    } else if (op_is_last(a, OP_DELETE)) {
        refuse_deleted(o, take_spec->name);
        app_spec_free(take_spec);
    } else if (op_is_last(a, OP_STOP) || (is_idle(a) && list_empty(&a->requests))) {
        app_set_spec(a, take_spec, env);
        op_add(o, a, OP_START);
    } else {
        app_spec_free(take_spec);
        op_add_unchanged(o, a);
    }
}

static void start_one(struct request *r, struct op *o, const json_t *json, char *const *env,
                      const char *limits, bool apply)
{
    struct err e;
    own_app_spec spec = NULL;
    const char *name = json_get_str(json, "name", "?");
    if (keys_read_json(json, false, &spec, &e) < 0) {
        op_add_error(o, name, &e);
        return;
    }
    if (!spec->name || !spec->script || !spec->cwd) {
        err_set(&e, ERR_CONFIG, "%s: name, script and cwd are required", name);
        op_add_error(o, name, &e);
        return;
    }
    struct app *taken = world_find(&r->daemon->world, spec->name);
    if (taken && !taken->removing)
        start_taken(r, o, taken, steal(spec), env, apply);
    else if (taken)
        refuse_deleted(o, spec->name);
    else
        start_new(r, o, steal(spec), env, limits);
}

/* Known apps that are selected. False: answered with the error. */
static bool add_selected(struct request *r, struct op *o, enum op_kind kind)
{
    struct selection s = { 0 };
    struct err e;
    const json_t *select = json_object_get(r->params, "select");
    if (!select)
        return true;
    if (select_apps(&r->daemon->world, select, &s, &e) < 0) {
        if (kind == OP_DELETE && r->retry && e.code == ERR_NOT_FOUND)
            return true; /* the daemon before us did it */
        request_error(r, &e);
        return false;
    }
    for (size_t i = 0; i < s.n; i++)
        op_add(o, s.apps[i], kind);
    selection_done(&s);
    return true;
}

static void run_selected(struct request *r, enum op_kind kind)
{
    struct op *o = op_new(r, false);
    if (!add_selected(r, o, kind)) {
        op_cancel(o);
        return;
    }
    op_go(o);
}

void req_app_start(struct request *r)
{
    own_strv env = read_texts(json_object_get(r->params, "environ"));
    bool apply = strcmp(json_get_str(r->params, "exists", "error"), "apply") == 0;
    own_text limits = NULL;
    struct err e;
    if (limits_take(json_object_get(r->params, "limits"), &limits, &e) < 0) {
        request_error(r, &e);
        return;
    }
    struct op *o = op_new(r, json_get_flag(r->params, "wait", false));
    size_t i;
    json_t *json;
    if (!add_selected(r, o, OP_START)) {
        op_cancel(o);
        return;
    }
    json_array_foreach(json_object_get(r->params, "apps"), i, json) start_one(r, o, json, env, limits, apply);
    op_go(o);
}

void req_app_stop(struct request *r)
{
    run_selected(r, OP_STOP);
}

static const json_t *find_by_name(json_t *apps, const char *name)
{
    size_t i;
    json_t *json;
    json_array_foreach(apps, i, json) if (text_equal(json_get_str(json, "name", NULL), name)) return json;
    return NULL;
}

/* What runs is not stopped for a start that cannot come. */
static int try_restart(struct app *a, struct app_spec *spec, char *const *env, struct err *e)
{
    if (is_idle(a) || app_try(a, spec, env, e) == 0)
        return 0;
    own_text why = xstrdup(e->text);
    return err_set(e, e->code, "%s; it was left as it is", why);
}

/* `json`: new settings, or NULL; `env`: a new environment, or NULL. */
static int restart_one(struct op *o, enum op_kind kind, struct app *a, const json_t *json, char *const *env,
                       struct err *e)
{
    own_app_spec spec = NULL;
    if ((json && keys_read_json(json, false, &spec, e) < 0) || try_restart(a, spec, env, e) < 0)
        return -1;
    if (spec)
        app_set_spec(a, steal(spec), env);
    else if (env)
        app_set_environ(a, env);
    op_add(o, a, kind);
    return 0;
}

/* With `apps`, those selected take the new settings first; with `environ`, the new environment. */
static void restart(struct request *r, enum op_kind kind)
{
    struct err e;
    own_strv env = read_texts(json_object_get(r->params, "environ"));
    json_t *apps = json_object_get(r->params, "apps");
    struct selection s = { 0 };
    if (select_apps(&r->daemon->world, json_object_get(r->params, "select"), &s, &e) < 0) {
        request_error(r, &e);
        return;
    }
    struct op *o = op_new(r, kind == OP_RELOAD);
    for (size_t k = 0; k < s.n; k++) {
        struct app *a = s.apps[k];
        if (restart_one(o, kind, a, find_by_name(apps, a->spec->name), env, &e) < 0)
            op_add_error(o, a->spec->name, &e);
    }
    selection_done(&s);
    op_go(o);
}

void req_app_restart(struct request *r)
{
    restart(r, OP_RESTART);
}

void req_app_reload(struct request *r)
{
    restart(r, OP_RELOAD);
}

void req_app_delete(struct request *r)
{
    run_selected(r, OP_DELETE);
}
