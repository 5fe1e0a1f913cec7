#include "daemon/request.h"

#include <stdlib.h>
#include <string.h>

#define SELECT                                                                                               \
    {                                                                                                        \
        "select", ARG_TEXTS, true                                                                            \
    }
#define SOME_OR_ALL                                                                                          \
    {                                                                                                        \
        "select", ARG_TEXTS, false                                                                           \
    }

const struct method methods[] = {
    { "velos.hello",
      { { "protocol", ARG_NUMBER, true }, { "version", ARG_TEXT, false } },
      req_hello,
      "Opens a connection.",
      true },
    { "app.start",
      { { "apps", ARG_OBJECTS, false },
        SOME_OR_ALL,
        { "environ", ARG_TEXTS, false },
        { "umask", ARG_NUMBER, false },
        { "nofile", ARG_NUMBER, false },
        { "limits", ARG_OBJECT, false },
        { "exists", ARG_TEXT, false },
        { "wait", ARG_FLAG, false } },
      req_app_start,
      "Starts new and known apps.",
      false },
    { "app.stop", { SELECT }, req_app_stop, "Stops apps; they stay listed.", false },
    { "app.restart",
      { SELECT, { "apps", ARG_OBJECTS, false }, { "environ", ARG_TEXTS, false } },
      req_app_restart,
      "Stops and starts apps.",
      false },
    { "app.delete", { SELECT }, req_app_delete, "Stops apps and forgets them.", false },
    { "app.reload",
      { SELECT, { "apps", ARG_OBJECTS, false }, { "environ", ARG_TEXTS, false } },
      req_app_reload,
      "Restarts one instance after the other, each ready before the next.",
      false },
    { "app.scale",
      { SELECT, { "instances", ARG_NUMBER, false }, { "change", ARG_NUMBER, false } },
      req_app_scale,
      "More or fewer instances.",
      false },
    { "app.reset", { SELECT }, req_app_reset, "Restart counters to zero.", false },
    { "app.signal",
      { SELECT, { "signal", ARG_NUMBER, true } },
      req_app_signal,
      "A signal to the main process.",
      false },
    { "app.send",
      { SELECT, { "line", ARG_TEXT, true } },
      req_app_send,
      "A line to the standard input.",
      false },
    { "app.env", { SELECT }, req_app_env, "The environment the next start would get.", true },
    { "app.list", { SOME_OR_ALL }, req_app_list, "One object per instance.", true },
    { "app.info", { SOME_OR_ALL }, req_app_info, "All there is to say about instances.", true },
    { "app.watch", { SOME_OR_ALL }, req_app_watch, "What of apps is watched, and what has changed.", true },
    { "app.cron", { SOME_OR_ALL }, req_app_cron, "When apps are restarted next by cron_restart.", true },
    { "log.files",
      { SOME_OR_ALL },
      req_log_files,
      "Where the logs are; what was written before is in them.",
      true },
    { "state.save",
      { { "force", ARG_FLAG, false } },
      req_state_save,
      "Writes the list of apps to state.json.",
      false },
    { "state.resurrect",
      { { "dry", ARG_FLAG, false } },
      req_state_resurrect,
      "Brings back the saved apps that are not there.",
      false },
    { "log.flush", { SOME_OR_ALL }, req_log_flush, "Empties log files, deletes their archives.", false },
    { "log.reopen", { SOME_OR_ALL }, req_log_reopen, "Opens the log files by their names again.", false },
    { "events.subscribe",
      { { "since", ARG_NUMBER, false } },
      req_events_subscribe,
      "Events from here on, or from a number.",
      true },
    { "daemon.info", { { 0 } }, req_daemon_info, "Version, pids, uptime, counts.", true },
    { "daemon.update",
      { { "settings", ARG_TEXT, false } },
      req_daemon_update,
      "Replaces the daemon by the installed version; apps go on.",
      false },
    { "daemon.kill",
      { { "leave_apps", ARG_FLAG, false } },
      req_daemon_kill,
      "Stops every app, then the daemon.",
      false },
};
const size_t methods_len = ARRAY_LEN(methods);

static void answer(struct conn *c, const char *id, const char *json)
{
    own_buf line = { 0 };
    if (!c || !id)
        return;
    buf_addf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":", id);
    buf_adds(&line, json);
    buf_adds(&line, "}\n");
    conn_send(c, &line);
}

void request_result(struct request *r, const char *json)
{
    answer(r->conn, r->id, json);
}

void answer_result(struct daemon *d, uint64_t conn, const char *id, const char *json)
{
    answer(conn_find(d, conn), id, json);
}

void answer_error(struct daemon *d, uint64_t conn, const char *id, const struct err *e)
{
    own_buf line = { 0 };
    struct conn *c = conn_find(d, conn);
    if (!c || !id)
        return;
    proto_add_error(&line, id, e);
    conn_send(c, &line);
}

void request_error(struct request *r, const struct err *e)
{
    own_buf line = { 0 };
    if (!r->id && e->code != ERR_PARSE && e->code != ERR_REQUEST)
        return;
    proto_add_error(&line, r->id ? r->id : "null", e);
    conn_send(r->conn, &line);
}

static const struct method *find_method(const char *name)
{
    for (size_t i = 0; i < methods_len; i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

static int unknown_method(const char *name, struct err *e)
{
    const char *names[ARRAY_LEN(methods) + 1] = { 0 };
    for (size_t i = 0; i < methods_len; i++)
        names[i] = methods[i].name;
    const char *near = text_nearest(name, names);
    err_set(e, ERR_METHOD, "no method `%.60s`", name);
    return near ? err_hint(e, "did you mean %s?", near) : -1;
}

static bool all_are(const json_t *array, json_type type)
{
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)array, i, v) if (json_typeof(v) != type) return false;
    return json_is_array(array);
}

/* NULL if the value is of the type, else what was expected. */
static const char *type_problem(enum arg_type t, const json_t *v)
{
    switch (t) {
    case ARG_TEXT:
        return json_is_string(v) ? NULL : "a text";
    case ARG_NUMBER:
        return json_is_integer(v) ? NULL : "an integer";
    case ARG_FLAG:
        return json_is_boolean(v) ? NULL : "true or false";
    case ARG_TEXTS:
        return all_are(v, JSON_STRING) ? NULL : "an array of texts";
    case ARG_OBJECT:
        return json_is_object(v) ? NULL : "an object";
    case ARG_OBJECTS:
        return all_are(v, JSON_OBJECT) ? NULL : "an array of objects";
    }
    return NULL;
}

static const struct arg *find_arg(const struct method *m, const char *name)
{
    static const struct arg token = { "token", ARG_TEXT, false }, retry = { "retry", ARG_FLAG, false };
    for (const struct arg *a = m->args; a < m->args + ARGS_MOST && a->name; a++)
        if (strcmp(a->name, name) == 0)
            return a;
    return strcmp(name, token.name) == 0 ? &token : strcmp(name, retry.name) == 0 ? &retry : NULL;
}

static int unknown_arg(const struct method *m, const char *name, struct err *e)
{
    const char *names[ARGS_MOST + 1] = { 0 };
    for (size_t i = 0; i < ARGS_MOST && m->args[i].name; i++)
        names[i] = m->args[i].name;
    const char *near = text_nearest(name, names);
    err_set(e, ERR_PARAMS, "%s: unknown argument `%.60s`", m->name, name);
    return near ? err_hint(e, "did you mean %s?", near) : -1;
}

static int check_args(const struct method *m, const json_t *params, struct err *e)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)params, key, value)
    {
        const struct arg *a = find_arg(m, key);
        if (!a)
            return unknown_arg(m, key, e);
        const char *expected = type_problem(a->type, value);
        if (expected)
            return err_set(e, ERR_PARAMS, "%s: %s: expected %s", m->name, key, expected);
    }
    for (const struct arg *a = m->args; a < m->args + ARGS_MOST && a->name; a++)
        if (a->required && !json_object_get(params, a->name))
            return err_set(e, ERR_PARAMS, "%s: %s is required", m->name, a->name);
    if (strlen(json_get_str(params, "token", "")) > 64)
        return err_set(e, ERR_PARAMS, "%s: token is longer than 64 bytes", m->name);
    return 0;
}

/* A request from its object: which method, and is it well-formed? */
static const struct method *understand(struct request *r, const json_t *o, struct err *e)
{
    const json_t *id = json_object_get(o, "id"), *params = json_object_get(o, "params");
    const char *name = json_get_str(o, "method", NULL);
    if (json_is_string(id) || json_is_integer(id) || json_is_real(id))
        r->id = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!name || (id && !r->id) || (params && !json_is_object(params))) {
        err_set(e, ERR_REQUEST,
                "not a JSON-RPC 2.0 request: method (text), params (object) and id are expected");
        return NULL;
    }
    const struct method *m = find_method(name);
    if (!m) {
        unknown_method(name, e);
        return NULL;
    }
    if (check_args(m, params, e) < 0)
        return NULL;
    r->params = params;
    r->token = json_get_str(params, "token", NULL);
    r->retry = json_get_flag(params, "retry", false);
    return m;
}

void request_line(struct conn *c, const char *line, size_t n)
{
    struct err e;
    own_json o = NULL;
    own_json empty = json_object();
    struct request r = { .daemon = c->daemon, .conn = c };
    const struct method *m = json_parse(line, n, &o, &e) < 0 ? NULL : understand(&r, o, &e);
    if (!r.params)
        r.params = empty;
    if (!m) {
        request_error(&r, &e);
    } else if (!c->greeted && m->run != req_hello && m->run != req_daemon_update) {
        err_set(&e, ERR_REQUEST, "the first request must be velos.hello");
        request_error(&r, &e);
        conn_close(c, e.text);
    } else if (c->daemon->ending && !m->read_only) {
        err_set(&e, ERR_UNREACHABLE, "the daemon is ending");
        request_error(&r, &e);
    } else {
        m->run(&r);
    }
    free(r.id);
}
