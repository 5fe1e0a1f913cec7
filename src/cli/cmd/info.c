/* info: all there is to know about an app's instances. What is printed is one table of rows: a label, the
 * member of app.info it shows, and how. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/cli.h"
#include "cli/status.h"

/* Appends the value as people read it; nothing at all when there is none. */
typedef void show_fn(struct buf *out, const json_t *value);

static void show_plain(struct buf *out, const json_t *v)
{
    if (json_is_string(v))
        buf_adds(out, json_string_value(v));
    else if (json_is_integer(v))
        buf_addf(out, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        buf_addf(out, "%.1f", json_real_value(v));
    else if (json_is_boolean(v))
        buf_adds(out, json_is_true(v) ? "yes" : "no");
    else if (json_is_array(v) || json_is_object(v)) {
        char *text = json_dumps(v, JSON_COMPACT | JSON_REAL_PRECISION(15));
        buf_adds(out, text);
        free(text);
    }
}

static void show_words(struct buf *out, const json_t *v)
{
    size_t i;
    json_t *word;
    json_array_foreach(v, i, word)
    {
        if (i)
            buf_addc(out, ' ');
        show_plain(out, word);
    }
}

static void show_duration(struct buf *out, const json_t *v)
{
    char text[UNITS_TEXT];
    if (json_is_integer(v))
        buf_adds(out, units_show_uptime(json_integer_value(v), text));
}

static void show_size(struct buf *out, const json_t *v)
{
    char text[UNITS_TEXT];
    if (json_is_integer(v))
        buf_adds(out, units_show_size(json_integer_value(v), text));
}

static void show_percent(struct buf *out, const json_t *v)
{
    if (json_is_number(v))
        buf_addf(out, "%.1f%%", json_number_value(v));
}

/* {"crash": 3, "manual": 1}: "crash 3, manual 1", those that are not 0. */
static void show_counts(struct buf *out, const json_t *v)
{
    const char *key;
    json_t *count;
    bool comma = false;
    json_object_foreach((json_t *)v, key, count)
    {
        if (!json_is_integer(count) || json_integer_value(count) == 0)
            continue;
        buf_addf(out, "%s%s %lld", comma ? ", " : "", key, (long long)json_integer_value(count));
        comma = true;
    }
}

static const struct {
    const char *label, *key;
    show_fn *show;
} rows[] = {
    { "reason", "reason", show_plain },
    { "uptime", "uptime_ms", show_duration },
    { "pid", "pid", show_plain },
    { "namespace", "namespace", show_plain },
    { "instance", "instance", show_plain },
    { "restarts", "restarts", show_plain },
    { "unstable restarts", "unstable_restarts", show_plain },
    { "restarted by", "counters", show_counts },
    { "exit code", "exit_code", show_plain },
    { "exit signal", "exit_signal", show_plain },
    { "cpu", "cpu_percent", show_percent },
    { "memory", "memory_bytes", show_size },
    { "script", "script", show_plain },
    { "args", "args", show_words },
    { "interpreter", "interpreter", show_plain },
    { "exec", "exec", show_plain },
    { "cwd", "cwd", show_plain },
    { "watching", "watching", show_plain },
    { "created", "created_at", show_plain },
    { "started", "started_at", show_plain },
    { "next start", "next_start_at", show_plain },
    { "out log", "out_file", show_plain },
    { "error log", "error_file", show_plain },
    { "log", "log", show_counts },
    { "log error", "log.error", show_plain },
    { "process tree", "app_pid_tree", show_words },
};

enum { LABEL = 20 };

/* "log.error" is the member `error` of the member `log`. */
static const json_t *member(const json_t *app, const char *path)
{
    size_t n = strcspn(path, ".");
    own_text first = xstrndup(path, n);
    const json_t *v = json_object_get(app, first);
    return path[n] ? member(v, path + n + 1) : v;
}

static void add_row(struct buf *out, const char *label, const json_t *value, show_fn *show)
{
    own_buf text = { 0 };
    show(&text, value);
    if (text.len)
        buf_addf(out, "  %-*s%s\n", LABEL, label, text.data);
}

static void add_settings(struct buf *out, const json_t *settings)
{
    const char *key;
    json_t *value;
    if (json_object_size(settings))
        buf_adds(out, "  settings\n");
    json_object_foreach((json_t *)settings, key, value)
    {
        own_text label = xasprintf("  %s", key);
        if (strlen(label) < LABEL)
            add_row(out, label, value, show_plain);
        else { /* a long name takes its own width */
            buf_addf(out, "  %s ", label);
            show_plain(out, value);
            buf_addc(out, '\n');
        }
    }
}

/* "  2026-11-23T02:54:11Z  12s  exit 1  crash" */
static void add_life(struct buf *out, const json_t *life)
{
    char uptime[UNITS_TEXT];
    const char *sig = json_get_str(life, "exit_signal", NULL);
    const json_t *code = json_object_get(life, "exit_code");
    buf_addf(out, "    %s  %7s  ", json_get_str(life, "ended_at", "-"),
             units_show_uptime(json_get_int(life, "uptime_ms", 0), uptime));
    if (sig)
        buf_addf(out, "%-8s", sig);
    else if (json_is_integer(code))
        buf_addf(out, "exit %-3lld", (long long)json_integer_value(code));
    else
        buf_addf(out, "%-8s", "unknown");
    buf_addf(out, "  %s\n", json_get_str(life, "cause", ""));
}

static void add_lives(struct buf *out, const json_t *lives)
{
    size_t i;
    json_t *life;
    if (json_array_size(lives))
        buf_adds(out, "  last lives (ended, lasted, exit, cause)\n");
    json_array_foreach(lives, i, life) add_life(out, life);
}

static void add_app(struct buf *out, const json_t *app, bool color)
{
    const char *status = json_get_str(app, "status", "-");
    const char *bold = color ? color_code("bold") : "",
               *paint = color ? color_code(status_color(status)) : "";
    const char *reset = color ? color_code("reset") : "";
    buf_addf(out, "%s%s%s (id %lld) %s%s%s\n", bold, json_get_str(app, "name", "?"), reset,
             (long long)json_get_int(app, "id", -1), paint, status, reset);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        add_row(out, rows[i].label, member(app, rows[i].key), rows[i].show);
    add_settings(out, json_object_get(app, "settings"));
    add_lives(out, json_object_get(app, "lives"));
}

static int info_run(struct cli *c, struct err *e)
{
    own_text params = cli_select(c, NULL);
    own_json result = NULL;
    if (cli_ask(c, "app.info", params, &result, e) < 0)
        return -1;
    const json_t *apps = json_object_get(result, "apps");
    if (c->json)
        return out_json(apps, e);
    bool color = out_color_wanted(c->color, STDOUT_FILENO);
    own_buf out = { 0 };
    size_t i;
    json_t *app;
    json_array_foreach(apps, i, app)
    {
        if (i)
            buf_addc(&out, '\n');
        add_app(&out, app, color);
    }
    return out_write(&out, e);
}

const struct cmd cmd_info = {
    .name = "info",
    .aliases = ALIASES("describe", "show"),
    .usage = "info <app>...",
    .about = "All there is to know about an app: state, settings, log files, last lives.",
    .more = "--json prints an array, one object an instance (docs/list-json.md).",
    .args = { .min = 1, .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .run = info_run,
};
