/* cron: the next times of an expression, which is understood here, or of apps, which the daemon tells. */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/calendar.h"
#include "base/time.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cron/cron.h"

enum { SHOWN = 5 };

/* The words as one expression, which may have come as one word or as five. False: they are apps. */
static bool is_expression(const struct cli *c, struct buf *out)
{
    for (size_t i = 0; i < c->args.n_words; i++)
        buf_addf(out, "%s%s", i ? " " : "", c->args.words[i]);
    const char *text = out->len ? out->data : "";
    return text[0] == '@' || text_starts(text, "TZ=") || c->args.n_words >= 5 || strpbrk(text, " \t") != NULL;
}

/* "2026-11-26 04:00:00 CET", as the wall clock shows it there. */
static void add_time(struct buf *out, const struct zone *z, int64_t s)
{
    struct zone_time t = zone_at(z, s);
    int64_t wall = s + t.offset, days = wall / DAY - (wall % DAY < 0);
    struct date d = calendar_date(days);
    int time = (int)(wall - days * DAY);
    buf_addf(out, "%04lld-%02d-%02d %02d:%02d:%02d %s", (long long)d.year, d.month, d.day, time / 3600,
             time / 60 % 60, time % 60, t.name);
}

static void add_line(struct buf *out, const struct zone *z, int64_t s, int64_t now)
{
    char in[UNITS_TEXT];
    buf_adds(out, "  ");
    add_time(out, z, s);
    buf_addf(out, "  in %s\n", units_show_uptime(MAX(s - now, (int64_t)0) * 1000, in));
}

/* An expression --------------------------------------------------------------------------------------- */

static int show_expression(const struct cli *c, const char *text, struct err *e)
{
    struct cron cron;
    own_zone z = NULL;
    own_buf out = { 0 };
    struct json_out j = JSON_OUT(&out);
    if (cron_parse(text, &cron, e) < 0 || cron_zone(&cron, &z, e) < 0)
        return -1;
    int64_t now = time_wall_ms() / 1000, at = now;
    if (c->json) {
        json_open(&j, NULL, '{');
        json_str(&j, "cron_restart", text);
        json_open(&j, "cron_next", '[');
    }
    for (int i = 0; i < SHOWN; i++) {
        at = cron_next(&cron, z, at);
        if (c->json)
            json_time(&j, NULL, at * 1000);
        else
            add_line(&out, z, at, now);
    }
    if (!c->json)
        return out_write(&out, e);
    json_close(&j, ']');
    json_close(&j, '}');
    return out_json_text(out.data, out.len, e);
}

/* Apps ------------------------------------------------------------------------------------------------- */

static bool read_time(const json_t *v, int64_t *out)
{
    struct tm utc = { 0 };
    if (!json_is_string(v) || !strptime(json_string_value(v), "%Y-%m-%dT%H:%M:%S", &utc))
        return false;
    *out = timegm(&utc);
    return true;
}

static void add_app(struct buf *out, const json_t *app, int64_t now)
{
    const char *text = json_get_str(app, "cron_restart", "");
    struct cron cron;
    struct err e;
    own_zone z = NULL;
    size_t i;
    json_t *v;
    if (cron_parse(text, &cron, &e) < 0 || cron_zone(&cron, &z, &e) < 0)
        z = zone_from_rule("UTC0"); /* the daemon is of another version, or of another machine's zones */
    buf_addf(out, "%s%s (%s): %s\n", out->len ? "\n" : "", json_get_str(app, "name", "?"),
             json_get_str(app, "status", "?"), text);
    json_array_foreach(json_object_get(app, "cron_next"), i, v)
    {
        int64_t s;
        if (read_time(v, &s))
            add_line(out, z, s, now);
    }
}

static int show_apps(struct cli *c, struct err *e)
{
    own_text params = cli_select(c, NULL);
    own_json result = NULL;
    own_buf out = { 0 };
    size_t i;
    json_t *app;
    if (cli_ask(c, "app.cron", params, &result, e) < 0)
        return -1;
    const json_t *apps = json_object_get(result, "apps");
    if (c->json)
        return out_json(apps, e);
    json_array_foreach(apps, i, app) add_app(&out, app, time_wall_ms() / 1000);
    if (!out.len)
        out_note("no app with a cron_restart");
    return out_write(&out, e);
}

static int cron_run(struct cli *c, struct err *e)
{
    own_buf text = { 0 };
    return is_expression(c, &text) ? show_expression(c, text.data, e) : show_apps(c, e);
}

const struct cmd cmd_cron = {
    .name = "cron",
    .usage = "cron [<expression>|<app>...]",
    .about = "The next five times of a cron expression, or of the apps that have a cron_restart.",
    .more = "An expression has 5 fields (minute hour day-of-month month day-of-week), or 6 with seconds "
            "first: values,\n"
            "lists, ranges, steps, names, ? and, as a day of the month, L, the last one. There are @hourly, "
            "@daily,\n"
            "@weekly, @monthly and @yearly. TZ=Area/City may lead; else it is the machine's time zone. When "
            "neither\n"
            "day field begins with a star, a day that fits one of them is enough. A time that the clock "
            "skips fires\n"
            "once, right after the gap; one that it shows twice fires the first time.\n"
            "--json prints an object with cron_restart and cron_next; for apps an array of them, with name, "
            "namespace\n"
            "and status.",
    .args = { .min = 0, .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = cron_run,
};
