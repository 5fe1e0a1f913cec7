/* The table of app settings, and what can be done with a row without knowing which it is. */
#include "conf/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vars.h"
#include "conf/keys_shapes.h"
#include "os/fswatch.h"

#define AT(field) .offset = offsetof(struct app_spec, field), .size = sizeof(((struct app_spec *)0)->field)
#define NAMES(...)                                                                                           \
    (const char *const[])                                                                                    \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }

enum { SECOND = 1000, HOUR = 3600 * SECOND };

/* The order is that of the example file, of --help and of docs/settings.md. */
const struct key keys[] = {
    { .name = "script",
      .type = KEY_STRING,
      AT(script),
      .shape = "string",
      .flags = KEY_REQUIRED | KEY_FILE_ONLY,
      .example = "\"./server.js\"",
      .about = "What to run: a path, or a program on PATH." },
    { .name = "name",
      .type = KEY_NAME,
      AT(name),
      .shape = "name",
      .read = read_app_name,
      .example = "\"api\"",
      .about =
          "1-64 of letters, digits, . _ -; unique; not `all`, not only digits. Default: the table's key; on "
          "the command line the file's name without extension." },
    { .name = "namespace",
      .type = KEY_NAME,
      AT(ns),
      .shape = "name",
      .def = "default",
      .about = "Groups apps: the selectors `ns/name` and `ns/*`." },
    { .name = "args",
      .type = KEY_STRINGS,
      AT(args),
      .shape = "array of strings, or string",
      .example = "[\"--port\", \"3000\"]",
      .about = "Arguments of the script; a string is split into words. On the command line: behind `--`." },
    { .name = "cwd",
      .type = KEY_PATH,
      AT(cwd),
      .shape = "path",
      .example = "\"/srv/api/current\"",
      .about =
          "Where the app runs, symlinks kept as written. Default: the file's folder; on the command line the "
          "caller's." },
    { .name = "interpreter",
      .type = KEY_STRING,
      AT(interpreter),
      .shape = "string",
      .example = "\"node\"",
      .about =
          "What runs the script; `none` runs it directly. Default: by extension, #! line or file type." },
    { .name = "interpreter_args",
      .aliases = NAMES("node_args"),
      .type = KEY_STRINGS,
      AT(interpreter_args),
      .shape = "array of strings, or string",
      .example = "[\"--enable-source-maps\"]",
      .about = "Arguments of the interpreter, in front of the script." },
    { .name = "instances",
      .type = KEY_SPECIAL,
      AT(instances),
      .shape = "integer or \"max\"",
      .def = "1",
      .min = 1,
      .max = INSTANCES_MOST,
      .read = read_instances,
      .write = write_instances,
      .about = "How many processes; `max` is one for each usable CPU." },
    { .name = "env",
      .type = KEY_ENV,
      AT(env),
      .shape = "table",
      .flags = KEY_FILE_ONLY,
      .example = "PORT = \"3000\"",
      .about =
          "Environment variables: strings, numbers, booleans. A table `env_<profile>` is merged over it when "
          "`--env <profile>` is given." },
    { .name = "env_file",
      .type = KEY_PATHS,
      AT(env_file),
      .shape = "path or array of paths",
      .example = "[\".env\"]",
      .about = "Files of NAME=value lines (a quoted value may span several), read anew at each start; `env` "
               "wins over them." },
    { .name = "inherit_env",
      .type = KEY_SPECIAL,
      AT(inherit_env),
      .shape = "bool or array of names",
      .def = "true",
      .flags = KEY_LIST | KEY_BARE,
      .read = read_inherit_env,
      .write = write_inherit_env,
      .about = "Whether the environment of who called `start` is passed on, or which names of it." },
    { .name = "autorestart",
      .type = KEY_SPECIAL,
      AT(autorestart),
      .shape = "bool, \"on-failure\" or \"always\"",
      .def = "true",
      .flags = KEY_BARE,
      .read = read_autorestart,
      .write = write_autorestart,
      .about = "When to start again after an exit; `true` is on-failure: a code other than "
               "`stop_exit_codes`, or a "
               "signal." },
    { .name = "stop_exit_codes",
      .type = KEY_SPECIAL,
      AT(stop_exit_codes),
      .shape = "array of 0-255",
      .def = "0",
      .flags = KEY_LIST,
      .read = read_exit_codes,
      .write = write_exit_codes,
      .about = "Exit codes after which no restart happens; none by default when autorestart is `always`." },
    { .name = "max_restarts",
      .type = KEY_COUNT,
      AT(max_restarts),
      .shape = "integer",
      .def = "15",
      .min = -1,
      .max = INT64_MAX,
      .about = "Unstable exits in a row before the app counts as errored; -1: no limit, 0: never restart." },
    { .name = "min_uptime",
      .type = KEY_DURATION,
      AT(min_uptime),
      .shape = "duration",
      .def = "1s",
      .about = "A life shorter than this is unstable." },
    { .name = "restart_delay",
      .type = KEY_DURATION,
      AT(restart_delay),
      .shape = "duration",
      .def = "0",
      .about = "Wait this long before each restart." },
    { .name = "exp_backoff_restart_delay",
      .type = KEY_SPECIAL,
      AT(exp_backoff_restart_delay),
      .shape = "bool or duration",
      .def = "false",
      .flags = KEY_BARE,
      .read = read_backoff,
      .write = write_backoff,
      .about =
          "First delay of a growing one: doubles up to 15s, cleared after 30s online; `true` is 100ms." },
    { .name = "max_memory_restart",
      .type = KEY_SIZE,
      AT(max_memory_restart),
      .shape = "size",
      .read = read_memory,
      .write = write_memory,
      .min = 1,
      .example = "\"300M\"",
      .about = "Restart when the whole process tree uses more, twice in a row. Default: no limit." },
    { .name = "kill_timeout",
      .type = KEY_DURATION,
      AT(kill_timeout),
      .shape = "duration",
      .def = "5s",
      .max = HOUR,
      .about = "Time from the stop signal to SIGKILL; 0: SIGKILL at once." },
    { .name = "kill_signal",
      .type = KEY_SIGNAL,
      AT(kill_signal),
      .shape = "signal",
      .def = "SIGTERM",
      .about = "What asks the app to stop: a name (SIGINT, INT, SIGRTMIN+3) or a number." },
    { .name = "treekill",
      .type = KEY_BOOL,
      AT(treekill),
      .shape = "bool",
      .def = "true",
      .about = "Stop everything the app started, not only its main process." },
    { .name = "shutdown_with_message",
      .type = KEY_BOOL,
      AT(shutdown_with_message),
      .shape = "bool",
      .def = "false",
      .about = "Ask a Node app to stop by a message on its channel in place of the signal." },
    { .name = "shutdown_message",
      .type = KEY_STRING,
      AT(shutdown_message),
      .shape = "string (JSON)",
      .def = "{\"type\":\"shutdown\"}",
      .read = read_json_text,
      .about = "That message." },
    { .name = "wait_ready",
      .type = KEY_BOOL,
      AT(wait_ready),
      .shape = "bool",
      .def = "false",
      .about = "The app is online once it says so: process.send('ready'), or READY=1 on $NOTIFY_SOCKET." },
    { .name = "listen_timeout",
      .type = KEY_DURATION,
      AT(listen_timeout),
      .shape = "duration",
      .def = "8s",
      .about = "How long `wait_ready` waits." },
    { .name = "watch",
      .type = KEY_SPECIAL,
      AT(watch),
      .shape = "bool or array of paths",
      .def = "false",
      .flags = KEY_LIST | KEY_BARE,
      .read = read_watch,
      .write = write_watch,
      .about = "Restart when files change; an array is short for `watch_paths` too." },
    { .name = "watch_paths",
      .type = KEY_PATHS,
      AT(watch_paths),
      .shape = "path or array of paths",
      .def = ".",
      .about = "What is watched. Default: the app's cwd." },
    { .name = "watch_ignore",
      .type = KEY_STRINGS,
      AT(watch_ignore),
      .shape = "array of globs, or string",
      .example = "[\"*.tmp\"]",
      .about = "Not watched, as in .gitignore, besides node_modules, .git, *.log, what editors leave behind "
               "and velos's "
               "own files. Patterns with a slash are relative to the cwd." },
    { .name = "watch_delay",
      .type = KEY_DURATION,
      AT(watch_delay),
      .shape = "duration",
      .def = "1s",
      .about = "Restart once nothing has changed for so long; at the latest after ten times that." },
    { .name = "watch_content",
      .type = KEY_BOOL,
      AT(watch_content),
      .shape = "bool",
      .def = "false",
      .about = "Do not restart for files that were written again as they were." },
    { .name = "cron_restart",
      .type = KEY_STRING,
      AT(cron_restart),
      .shape = "cron expression",
      .read = read_cron,
      .example = "\"0 4 * * *\"",
      .about =
          "Restart at these times: 5 fields, or 6 with seconds first, or @daily; `TZ=Area/City` may lead." },
    { .name = "out_file",
      .type = KEY_PATH,
      AT(out_file),
      .shape = "path",
      .example = "\"logs/out.log\"",
      .about = "Where stdout goes; /dev/null drops it. Default: logs/<name>-out.log in velos's home." },
    { .name = "error_file",
      .type = KEY_PATH,
      AT(error_file),
      .shape = "path",
      .example = "\"logs/error.log\"",
      .about = "Where stderr goes; may be the same file. Default: logs/<name>-error.log." },
    { .name = "merge_logs",
      .type = KEY_BOOL,
      AT(merge_logs),
      .shape = "bool",
      .def = "false",
      .about = "All instances write to the same two files." },
    { .name = "log_date_format",
      .type = KEY_STRING,
      AT(log_date_format),
      .shape = "strftime string",
      .read = read_date_format,
      .example = "\"%Y-%m-%d %H:%M:%S \"",
      .about = "Written in front of each line. Default: nothing." },
    { .name = "log_type",
      .type = KEY_SPECIAL,
      AT(log_type),
      .shape = "\"raw\" or \"json\"",
      .def = "raw",
      .read = read_log_type,
      .write = write_log_type,
      .about = "json: one object a line, with time, stream, app, id and message." },
    { .name = "log_max_size",
      .type = KEY_SIZE,
      AT(log_max_size),
      .shape = "size",
      .def = "10M",
      .about = "Rotate a log file at this size; 0: never." },
    { .name = "log_retain_count",
      .type = KEY_COUNT,
      AT(log_retain_count),
      .shape = "integer",
      .def = "30",
      .max = 10000,
      .about = "How many rotated files are kept." },
    { .name = "log_compress",
      .type = KEY_BOOL,
      AT(log_compress),
      .shape = "bool",
      .def = "false",
      .about = "Compress rotated files with gzip." },
    { .name = "autostart",
      .type = KEY_BOOL,
      AT(autostart),
      .shape = "bool",
      .def = "true",
      .about = "false: known to velos, but not started." },
    { .name = "user",
      .type = KEY_STRING,
      AT(user),
      .shape = "name or id",
      .read = read_user,
      .example = "\"www-data\"",
      .about = "Run as this user; the daemon must be root. Default: the daemon's." },
    { .name = "group",
      .type = KEY_STRING,
      AT(group),
      .shape = "name or id",
      .read = read_user,
      .example = "\"www-data\"",
      .about = "Run as this group. Default: the user's." },
};
const size_t keys_len = ARRAY_LEN(keys);
const struct key_table keys_table = { .rows = keys, .len = ARRAY_LEN(keys) };
_Static_assert(ARRAY_LEN(keys) <= 64, "struct app_spec.set has a bit per key");

static bool has_name(const struct key *k, const char *name)
{
    if (strcmp(k->name, name) == 0)
        return true;
    for (const char *const *alias = k->aliases; alias && *alias; alias++)
        if (strcmp(*alias, name) == 0)
            return true;
    return false;
}

const struct key *key_find_in(const struct key_table *t, const char *name)
{
    for (const struct key *k = t->rows; k < t->rows + t->len; k++)
        if (has_name(k, name))
            return k;
    return NULL;
}

const struct key *key_find(const char *name)
{
    return key_find_in(&keys_table, name);
}

const char *key_nearest(const char *name)
{
    return key_nearest_in(&keys_table, name);
}

const char *key_nearest_in(const struct key_table *t, const char *name)
{
    const char *names[64 * 2 + 1];
    size_t n = 0;
    for (const struct key *k = t->rows; k < t->rows + t->len; k++) {
        names[n++] = k->name;
        if (k->aliases)
            names[n++] = k->aliases[0];
    }
    names[n] = NULL;
    return text_nearest(name, names);
}

bool key_is_set(const struct key *k, const struct app_spec *s)
{
    return s->set & key_bit(k);
}

/* The one string, or the list of strings, that a row's field owns; NULL: none. */
static char **owned_text(const struct key *k, struct app_spec *s)
{
    bool text = k->type == KEY_STRING || k->type == KEY_NAME || k->type == KEY_PATH;
    return text ? key_field(k, s) : NULL;
}

static char ***owned_list(const struct key *k, struct app_spec *s)
{
    if (k->type == KEY_STRINGS || k->type == KEY_PATHS || k->type == KEY_ENV)
        return key_field(k, s);
    if (k->offset == offsetof(struct app_spec, inherit_env))
        return &s->inherit_env.names;
    return NULL;
}

/* Of 500 apps nearly all have the defaults: one text for all of them. */
static bool is_shared(const void *text)
{
    const struct app_spec *d = app_spec_defaults();
    return text == d->ns || text == d->shutdown_message || text == d->watch_paths || text == d->watch_ignore;
}

void key_set_text(const struct key *k, struct app_spec *s, char *take_text)
{
    char **field = key_field(k, s);
    if (!is_shared(*field))
        free(*field);
    *field = take_text;
}

void key_set_list(const struct key *k, struct app_spec *s, char **take_list)
{
    char ***field = key_field(k, s);
    if (!is_shared(*field))
        strv_free(*field);
    *field = take_list;
}

void key_clear(const struct key *k, struct app_spec *s)
{
    char **text = owned_text(k, s), ***list = owned_list(k, s);
    if (text && !is_shared(*text))
        free(*text);
    if (list && !is_shared(*list))
        strv_free(*list);
    memset(key_field(k, s), 0, k->size);
}

void key_copy(const struct key *k, struct app_spec *to, const struct app_spec *from)
{
    key_clear(k, to);
    memcpy(key_field(k, to), key_field(k, from), k->size);
    char **text = owned_text(k, to), ***list = owned_list(k, to);
    if (text && *text && !is_shared(*text))
        *text = xstrdup(*text);
    if (list && !is_shared(*list))
        *list = strv_copy(*list);
}

void env_put_all(char ***env, char *const *pairs)
{
    own_vars vars = { 0 };
    for (char **v = *env; v && *v; v++)
        free(vars_put(&vars, *v));
    free(*env);
    for (; pairs && *pairs; pairs++)
        free(vars_put(&vars, xstrdup(*pairs)));
    *env = vars_steal(&vars);
}

/* The one default that depends on another key. */
void keys_settle(struct app_spec *s)
{
    if (!key_is_set(key_find("stop_exit_codes"), s))
        s->stop_exit_codes.bits[0] = s->autorestart != AUTORESTART_ALWAYS;
}

void keys_merge(struct app_spec *s, const struct app_spec *over)
{
    for (const struct key *k = keys; k < keys + keys_len; k++) {
        if (!key_is_set(k, over))
            continue;
        if (k->type == KEY_ENV)
            env_put_all(&s->env, over->env);
        else
            key_copy(k, s, over);
    }
    s->set |= over->set;
    keys_settle(s);
    if (over->unknown) {
        if (!s->unknown)
            s->unknown = json_object();
        json_object_update(s->unknown, over->unknown);
    }
}

static void check(bool wrong, const char *key, const struct conf_node *at, struct conf_problems *problems,
                  const char *why)
{
    if (!wrong)
        return;
    const struct conf_node *value = at ? conf_node_get(at, key) : NULL;
    own_text place = conf_node_place(at, key);
    conf_problem_add(problems, value ? value : at, NULL, "%s: %s", place, why);
}

/* The whole machine, and what is no real file, is not for watching. */
static void check_watched(const struct app_spec *s, const struct conf_node *at,
                          struct conf_problems *problems)
{
    bool given = key_is_set(key_find("watch_paths"), s);
    for (char *const *path = given ? s->watch_paths : NULL; path && *path; path++) {
        own_text why = xasprintf("%s is not for watching", *path);
        bool listed = at && conf_node_get(at, "watch_paths");
        check(os_fswatch_is_absurd(*path), listed ? "watch_paths" : "watch", at, problems, why);
    }
    if (!given && s->cwd && os_fswatch_is_absurd(s->cwd)) {
        own_text why = xasprintf("the app's cwd %s is not for watching: name paths", s->cwd);
        check(true, "watch", at, problems, why);
    }
}

static bool is_array(const struct conf_node *at, const char *key)
{
    const struct conf_node *v = at ? conf_node_get(at, key) : NULL;
    return v && v->type == CONF_ARRAY;
}

void keys_check(const struct app_spec *s, const struct conf_node *at, struct conf_problems *problems)
{
    for (const struct key *k = keys; k < keys + keys_len; k++)
        if (k->flags & KEY_REQUIRED && !key_is_set(k, s) && !(at && conf_node_get(at, k->name)))
            check(true, k->name, at, problems, "missing");
    check(s->restart_delay > 0 && s->exp_backoff_restart_delay > 0, "exp_backoff_restart_delay", at, problems,
          "cannot be used together with restart_delay");
    check(is_array(at, "watch") && conf_node_get(at, "watch_paths"), "watch", at, problems,
          "lists paths, and so does watch_paths: keep one of them");
    if (s->watch)
        check_watched(s, at, problems);
}
