/* info: all there is to know about an app's instances. What is printed is one table of rows: a label, the
 * member of app.info it shows, and how; then what needs more room than a row: settings, processes, lives. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/cli.h"
#include "cli/last_words.h"
#include "cli/status.h"
#include "cli/table.h"
#include "cli/words.h"
#include "conf/keys.h"

enum {
    LABEL = 17,          /* columns of a label, after the two it is indented by */
    PROCESSES_MOST = 20, /* shown; of a larger tree the rest is counted */
};

/* Appends the value as people read it; nothing at all when there is none. */
typedef void show_fn(struct buf *out, const json_t *value);

static void show_plain(struct buf *out, const json_t *v)
{
    if (json_is_string(v))
        buf_add_shown(out, json_string_value(v));
    else if (json_is_integer(v))
        buf_addf(out, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        buf_addf(out, "%.1f", json_real_value(v));
    else if (json_is_boolean(v))
        buf_adds(out, json_is_true(v) ? "yes" : "no");
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

static void show_not_zero(struct buf *out, const json_t *v)
{
    if (json_integer_value(v))
        show_plain(out, v);
}

static void show_uptime(struct buf *out, const json_t *v)
{
    char text[UNITS_TEXT];
    if (json_is_integer(v))
        buf_adds(out, units_show_uptime(json_integer_value(v), text));
}

static void show_size(struct buf *out, const json_t *v)
{
    char text[UNITS_TEXT];
    if (json_integer_value(v))
        buf_adds(out, units_show_size(json_integer_value(v), text));
}

static void show_percent(struct buf *out, const json_t *v)
{
    if (json_is_number(v))
        buf_addf(out, "%.1f%%", json_number_value(v));
}

/* {"exit": 3, "manual": 1}: "exit 3, manual 1", those that are not 0. */
static void show_counts(struct buf *out, const json_t *v)
{
    const char *key;
    json_t *count;
    bool comma = false;
    json_object_foreach((json_t *)v, key, count)
    {
        if (json_integer_value(count) == 0)
            continue;
        buf_addf(out, "%s%s %lld", comma ? ", " : "", key, (long long)json_integer_value(count));
        comma = true;
    }
}

/* Times ------------------------------------------------------------------------------------------------ */

static bool read_time(const json_t *v, struct tm *local)
{
    struct tm utc = { 0 };
    if (!json_is_string(v) || !strptime(json_string_value(v), "%Y-%m-%dT%H:%M:%S", &utc))
        return false;
    time_t s = timegm(&utc);
    return localtime_r(&s, local);
}

static void show_time(struct buf *out, const json_t *v)
{
    char text[32];
    struct tm at;
    if (read_time(v, &at) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &at))
        buf_adds(out, text);
}

static void show_times(struct buf *out, const json_t *v)
{
    size_t i;
    json_t *time;
    json_array_foreach(v, i, time)
    {
        if (i)
            buf_adds(out, ", ");
        show_time(out, time);
    }
}

/* As short as it can be and still be found in a log: today's without the date, this year's without the year.
 */
static void show_short_time(struct buf *out, const json_t *v)
{
    char text[32];
    struct tm at, now;
    time_t s = time(NULL);
    if (!read_time(v, &at) || !localtime_r(&s, &now))
        return;
    const char *format = at.tm_year != now.tm_year   ? "%Y-%m-%d"
                         : at.tm_yday != now.tm_yday ? "%m-%d %H:%M"
                                                     : "%H:%M:%S";
    if (strftime(text, sizeof(text), format, &at))
        buf_adds(out, text);
}

/* Rows ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *label, *key;
    show_fn *show;
} rows[] = {
    { "reason", "reason", show_plain },
    { "says", "status_text", show_plain },
    { "next start", "next_start_at", show_time },
    { "uptime", "uptime_ms", show_uptime },
    { "pid", "pid", show_plain },
    { "cpu", "cpu_percent", show_percent },
    { "memory", "memory_bytes", show_size },
    { "main process", "main_memory_bytes", show_size },
    { "processes", "processes", show_not_zero },
    { "restarts", "restarts", show_plain },
    { "by cause", "counters", show_counts },
    { "unstable in a row", "unstable_restarts", show_not_zero },
    { "exit code", "exit_code", show_plain },
    { "exit signal", "exit_signal", show_plain },
    { "namespace", "namespace", show_plain },
    { "instance", "instance", show_plain },
    { "script", "script", show_plain },
    { "args", "args", show_words },
    { "interpreter", "interpreter", show_plain },
    { "exec", "exec", show_plain },
    { "cwd", "cwd", show_plain },
    { "watching", "watching", show_plain },
    { "cron", "settings.cron_restart", show_plain },
    { "next cron", "cron_next", show_times },
    { "folders watched", "watch.folders", show_plain },
    { "watch problem", "watch.problem", show_plain },
    { "without a watch", "watch.polled", show_not_zero },
    { "last change", "watch.fired_path", show_plain },
    { "created", "created_at", show_time },
    { "started", "started_at", show_time },
    { "out log", "out_file", show_plain },
    { "error log", "error_file", show_plain },
    { "log", "log.bytes", show_size },
    { "dropped from log", "log.dropped_bytes", show_size },
    { "log error", "log.error", show_plain },
};

/* "log.error" is the member `error` of the member `log`. */
static const json_t *member(const json_t *app, const char *path)
{
    size_t n = strcspn(path, ".");
    own_text first = xstrndup(path, n);
    const json_t *v = json_object_get(app, first);
    return path[n] ? member(v, path + n + 1) : v;
}

/* The value wraps below itself; what has no room beside its label begins on a line of its own. */
static void add_row(struct buf *out, const char *label, const struct buf *value,
                    const struct table_look *look)
{
    size_t indent = 2 + MAX(strlen(label), (size_t)LABEL) + 1, width = (size_t)look->width;
    if (!value->len)
        return;
    buf_addf(out, "  %-*s ", LABEL, label);
    if (width && indent + strcspn(value->data, " ") > width) {
        indent = 4;
        buf_addf(out, "\n%*s", (int)indent, "");
    }
    if (width)
        out_wrap(out, value->data, indent, indent, width);
    else
        buf_adds(out, value->data);
    buf_addc(out, '\n');
}

static void add_section(struct buf *out, const char *name)
{
    buf_addf(out, "\n%s\n", name);
}

/* Settings --------------------------------------------------------------------------------------------- */

static const char mask[] = "********";

/* Values of secrets, as `env` shows them. */
static void mask_secrets(const json_t *apps)
{
    size_t i;
    json_t *app, *value;
    const char *name;
    void *next;
    json_array_foreach(apps, i, app)
    {
        json_t *env = json_object_get(json_object_get(app, "settings"), "env");
        json_object_foreach_safe(env, next, name, value)
        {
            if (words_is_secret(name))
                json_object_set_new(env, name, json_string(mask));
        }
    }
}

/* Variables, a line each. */
static void add_variables(struct buf *out, const char *key, const json_t *env, const struct table_look *look)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)env, name, value)
    {
        own_buf line = { 0 };
        buf_addf(&line, "%s=", name);
        show_plain(&line, value);
        add_row(out, key, &line, look);
        key = "";
    }
}

/* Numbers come in ms and bytes; the key's row knows which. */
static void show_setting(struct buf *out, const char *key, const json_t *value)
{
    char text[UNITS_TEXT];
    const struct key *k = key_find(key);
    if (k && k->type == KEY_DURATION && json_is_integer(value))
        buf_adds(out, units_show_duration(json_integer_value(value), text));
    else if (k && k->type == KEY_SIZE && json_is_integer(value))
        show_size(out, value);
    else if (json_is_array(value))
        show_words(out, value);
    else
        show_plain(out, value);
}

static bool is_shown_above(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].key, key) == 0)
            return true;
    return strcmp(key, "name") == 0 || strcmp(key, "cron_restart") == 0;
}

static void add_settings(struct buf *out, const json_t *settings, const struct table_look *look)
{
    own_buf lines = { 0 };
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)settings, key, value)
    {
        own_buf text = { 0 };
        if (is_shown_above(key))
            continue;
        if (json_is_object(value)) {
            add_variables(&lines, key, value, look);
            continue;
        }
        show_setting(&text, key, value);
        add_row(&lines, key, &text, look);
    }
    if (!lines.len)
        return;
    add_section(out, "settings");
    buf_add(out, lines.data, lines.len);
}

enum { LAST_WORDS = 5 };

/* Processes -------------------------------------------------------------------------------------------- */

static const json_t *find_process(const json_t *tree, int64_t pid)
{
    size_t i;
    json_t *p;
    json_array_foreach(tree, i, p) if (json_get_int(p, "pid", 0) == pid) return p;
    return NULL;
}

/* Those below `parent`, each with its own; NULL: those whose parent is not of the tree. */
static void add_processes(struct buf *out, const json_t *tree, const json_t *parent, int depth, int *left)
{
    size_t i;
    json_t *p;
    json_array_foreach(tree, i, p)
    {
        char size[UNITS_TEXT];
        if (find_process(tree, json_get_int(p, "ppid", 0)) != parent || p == parent)
            continue;
        if (--*left < 0)
            return;
        buf_addf(out, "  %*s%lld ", 2 * MIN(depth, 8), "", (long long)json_get_int(p, "pid", 0));
        buf_add_shown(out, json_get_str(p, "name", "?"));
        buf_addf(out, " %s\n", units_show_size(json_get_int(p, "memory_bytes", 0), size));
        add_processes(out, tree, p, depth + 1, left);
    }
}

static void add_tree(struct buf *out, const json_t *tree)
{
    int n = (int)json_array_size(tree), left = PROCESSES_MOST;
    if (n < 2)
        return;
    add_section(out, "process tree");
    add_processes(out, tree, NULL, 0, &left);
    if (n > PROCESSES_MOST)
        buf_addf(out, "  ... and %d more\n", n - PROCESSES_MOST);
}

/* Lives ------------------------------------------------------------------------------------------------ */

enum { ENDED, CAUSE, EXIT, LASTED, COLUMNS };
static const struct table_column columns[COLUMNS] = {
    [ENDED] = { "ended" },
    [CAUSE] = { "cause" },
    [EXIT] = { "exit", .right = true },
    [LASTED] = { "uptime", .right = true, .rank = 1 },
};

static void show_exit(struct buf *out, const json_t *life)
{
    const json_t *code = json_object_get(life, "exit_code"), *sig = json_object_get(life, "exit_signal");
    show_plain(out, json_is_string(sig) ? sig : code);
    if (json_get_flag(life, "core_dumped", false))
        buf_adds(out, " core");
    if (!out->len)
        buf_adds(out, "-");
}

static void add_life(struct table *t, const json_t *life)
{
    char uptime[UNITS_TEXT];
    own_buf ended = { 0 };
    own_buf exit = { 0 };
    show_short_time(&ended, json_object_get(life, "ended_at"));
    show_exit(&exit, life);
    const char *const cells[COLUMNS + 1] = {
        [ENDED] = ended.len ? ended.data : "-",
        [CAUSE] = json_get_str(life, "cause", "-"),
        [EXIT] = exit.data,
        [LASTED] = units_show_uptime(json_get_int(life, "uptime_ms", 0), uptime),
    };
    table_add(t, cells, 0, NULL);
}

static void add_lives(struct buf *out, const json_t *lives, const struct table_look *look)
{
    size_t i;
    json_t *life;
    if (!json_array_size(lives))
        return;
    add_section(out, "last lives");
    struct table *t = table_new(columns, COLUMNS);
    json_array_foreach(lives, i, life) add_life(t, life);
    table_print(t, look, out);
    table_free(t);
}

/* What it said before it gave up. */
static void add_last_words(struct buf *out, const char *path)
{
    own_buf lines = { 0 };
    if (path)
        last_words(&lines, path, LAST_WORDS, "  ");
    if (!lines.len)
        return;
    add_section(out, "last lines of its error log");
    buf_add(out, lines.data, lines.len);
}

/* An instance ------------------------------------------------------------------------------------------ */

static void add_app(struct buf *out, const json_t *app, const struct table_look *look)
{
    const char *status = json_get_str(app, "status", "-");
    const char *bold = look->colors ? color_code("bold") : "";
    const char *paint = look->colors ? color_code(status_color(status)) : "";
    const char *reset = look->colors ? color_code("reset") : "";
    buf_addf(out, "%s%s%s (id %lld) %s%s%s\n", bold, json_get_str(app, "name", "?"), reset,
             (long long)json_get_int(app, "id", -1), paint, status, reset);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        own_buf value = { 0 };
        rows[i].show(&value, member(app, rows[i].key));
        add_row(out, rows[i].label, &value, look);
    }
    add_settings(out, json_object_get(app, "settings"), look);
    add_tree(out, json_object_get(app, "app_pid_tree"));
    if (strcmp(status, "errored") == 0)
        add_last_words(out, json_get_str(app, "error_file", NULL));
    add_lives(out, json_object_get(app, "lives"), look);
}

static int info_run(struct cli *c, struct err *e)
{
    own_text params = cli_select(c, NULL);
    own_json result = NULL;
    if (cli_ask(c, "app.info", params, &result, e) < 0)
        return -1;
    const json_t *apps = json_object_get(result, "apps");
    if (!args_has(&c->args, "show-secrets"))
        mask_secrets(apps);
    if (c->json)
        return out_json(apps, e);
    struct table_look look = table_look_of_stdout(c->color);
    own_buf out = { 0 };
    size_t i;
    json_t *app;
    json_array_foreach(apps, i, app)
    {
        if (i)
            buf_addc(&out, '\n');
        add_app(&out, app, &look);
    }
    return out_write(&out, e);
}

const struct cmd cmd_info = {
    .name = "info",
    .aliases = ALIASES("describe", "show"),
    .usage = "info [--show-secrets] <app>...",
    .about = "All there is to know about an app: state, settings, log files, last lives.",
    .more = "Values of variables with KEY, TOKEN, SECRET or PASS in their names are shown as ********.\n"
            "--json prints an array, one object an instance (docs/list-json.md).",
    .args = { .min = 1, .max = ARGS_ANY },
    .opts = (const struct opt[]){ { 0, "show-secrets", OPT_FLAG, "Show all values." }, { 0 } },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = info_run,
};
