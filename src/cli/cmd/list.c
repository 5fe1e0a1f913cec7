/* list: what people look at most often, so it is made to be fast: the answer is read where it lies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "cli/cli.h"
#include "cli/last_words.h"
#include "cli/status.h"
#include "cli/table.h"
#include "proto/scan.h"

enum { ID, NAME, NAMESPACE, PID, UPTIME, RESTARTS, STATUS, CPU, MEMORY, WATCHING, COLUMNS };

static const struct table_column columns[COLUMNS] = {
    [ID] = { "id", .right = true },
    [NAME] = { "name", .shrinks = true },
    [NAMESPACE] = { "namespace", .rank = 7 },
    [PID] = { "pid", .right = true, .rank = 2 },
    [UPTIME] = { "uptime", .right = true, .rank = 1 },
    [RESTARTS] = { "restarts", .symbol = "↺", .right = true, .rank = 4 },
    [STATUS] = { "status" },
    [CPU] = { "cpu", .right = true, .rank = 6 },
    [MEMORY] = { "memory", .right = true, .rank = 5 },
    [WATCHING] = { "watching", .rank = 8 },
};

/* Members of app.list that are shown; the others are skipped. */
enum {
    M_ID,
    M_NAME,
    M_NAMESPACE,
    M_PID,
    M_STATUS,
    M_CPU,
    M_MEMORY,
    M_UPTIME,
    M_RESTARTS,
    M_REASON,
    M_ERROR_FILE,
    M_WATCHING,
    MEMBERS
};
static const char *const members[MEMBERS] = {
    [M_ID] = "id",
    [M_NAME] = "name",
    [M_NAMESPACE] = "namespace",
    [M_PID] = "pid",
    [M_STATUS] = "status",
    [M_CPU] = "cpu_percent",
    [M_MEMORY] = "memory_bytes",
    [M_UPTIME] = "uptime_ms",
    [M_RESTARTS] = "restarts",
    [M_REASON] = "reason",
    [M_ERROR_FILE] = "error_file",
    [M_WATCHING] = "watching",
};

enum { CELL = 80 };

static const char *text(struct piece p, char out[CELL])
{
    own_text s = piece_text(p);
    snprintf(out, CELL, "%s", s ? s : "-");
    return out;
}

static const char *number(struct piece p, char out[CELL])
{
    int64_t n;
    if (!piece_int(p, &n))
        return "-";
    snprintf(out, CELL, "%lld", (long long)n);
    return out;
}

static const char *percent(struct piece p, char out[CELL])
{
    double d;
    if (!piece_num(p, &d))
        return "-";
    snprintf(out, CELL, "%.1f%%", d);
    return out;
}

static const char *shown(struct piece p, const char *(*show)(int64_t, char *), char out[CELL])
{
    int64_t n;
    return piece_int(p, &n) ? show(n, out) : "-";
}

/* Why an app is not running: below the table, where there is room for a sentence. */
static void add_reason(struct buf *out, const char *name, const char *status, struct piece reason,
                       struct piece error_file)
{
    own_text why = piece_text(reason);
    own_text log = piece_text(error_file);
    if (!why || (strcmp(status, "errored") != 0 && strcmp(status, "waiting") != 0))
        return;
    buf_addf(out, "%s: %s: ", name, status);
    buf_add_shown(out, why);
    buf_addc(out, '\n');
    if (log)
        last_words(out, log, 1, "    ");
}

static void add_app(struct table *t, struct piece app, struct buf *reasons)
{
    struct piece v[MEMBERS];
    char cell[COLUMNS][CELL];
    scan_members(app, members, MEMBERS, v);
    const char *const cells[COLUMNS + 1] = {
        [ID] = number(v[M_ID], cell[ID]),
        [NAME] = text(v[M_NAME], cell[NAME]),
        [NAMESPACE] = text(v[M_NAMESPACE], cell[NAMESPACE]),
        [PID] = number(v[M_PID], cell[PID]),
        [UPTIME] = shown(v[M_UPTIME], units_show_uptime, cell[UPTIME]),
        [RESTARTS] = number(v[M_RESTARTS], cell[RESTARTS]),
        [STATUS] = text(v[M_STATUS], cell[STATUS]),
        [CPU] = percent(v[M_CPU], cell[CPU]),
        [MEMORY] = shown(v[M_MEMORY], units_show_size, cell[MEMORY]),
        [WATCHING] = piece_is(v[M_WATCHING], "true") ? "yes" : "no",
    };
    table_add(t, cells, STATUS, status_color(cells[STATUS]));
    add_reason(reasons, cells[NAME], cells[STATUS], v[M_REASON], v[M_ERROR_FILE]);
}

static int show(const struct cli *c, struct piece apps, struct err *e)
{
    struct table_look look = table_look_of_stdout(c->color);
    struct table *t = table_new(columns, COLUMNS);
    own_buf out = { 0 };
    own_buf reasons = { 0 };
    struct piece app;
    for (size_t at = 0; scan_item(apps, &at, &app);)
        add_app(t, app, &reasons);
    table_print(t, &look, &out);
    buf_add(&out, reasons.data, reasons.len);
    table_free(t);
    return out_write(&out, e);
}

/* One name a line: what completions ask for at each press of a key. Instances of an app stand in a row. */
static int show_names(struct piece apps, struct err *e)
{
    own_buf out = { 0 };
    own_text last = NULL;
    struct piece app, name;
    for (size_t at = 0; scan_item(apps, &at, &app);) {
        scan_members(app, (const char *const[]){ "name" }, 1, &name);
        char *this = piece_text(name);
        if (this && !text_equal(this, last))
            buf_addf(&out, "%s\n", this);
        free(last);
        last = this;
    }
    return out_write(&out, e);
}

static int show_none(const struct cli *c, const char *why, struct err *e)
{
    if (c->json) {
        own_json none = json_array();
        return out_json(none, e);
    }
    out_note("%s", why);
    return 0;
}

static int list_run(struct cli *c, struct err *e)
{
    own_text params = cli_select(c, NULL);
    own_buf result = { 0 };
    if (cli_ask_text(c, "app.list", params, &result, e) < 0)
        return cli_no_daemon(e) ? show_none(c, e->text, e) : -1;
    struct piece apps, first;
    size_t at = 0;
    scan_members((struct piece){ result.data, result.len }, (const char *const[]){ "apps" }, 1, &apps);
    if (!apps.at)
        return err_set(e, ERR_INTERNAL, "the daemon's answer holds no apps");
    if (c->json)
        return out_json_text(apps.at, apps.n, e);
    if (args_has(&c->args, "names"))
        return show_names(apps, e);
    if (!scan_item(apps, &at, &first))
        return show_none(c, "no apps yet; velos start <script> adds one", e);
    return show(c, apps, e);
}

const struct cmd cmd_list = {
    .name = "list",
    .aliases = ALIASES("ls", "status"),
    .usage = "list [--names] [<app>...]",
    .about = "A table of the apps: state, uptime, restarts, CPU, memory.",
    .more = "A terminal too narrow for all columns loses those that matter least. `-` is what is not known.\n"
            "--json prints an array (docs/list-json.md).",
    .args = { .min = 0, .max = ARGS_ANY },
    .opts = (const struct opt[]){ { 0, "names", OPT_FLAG, "The apps' names alone, one a line." }, { 0 } },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = list_run,
};
