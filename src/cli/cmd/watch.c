/* watch: what of an app is watched, what is not and why, and what has changed. */
#include <string.h>

#include "cli/cli.h"

enum { IGNORED_SHOWN = 20 };

static const struct {
    const char *state, *means;
} states[] = {
    { "off", "not watching (watch = true, or start --watch)" },
    { "stopped", "nothing is watched while it is stopped" },
    { "scanning", "looking at its files just now" },
    { "watching", "watching" },
};

static const char *meaning(const char *state)
{
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (strcmp(states[i].state, state) == 0)
            return states[i].means;
    return state;
}

/* A changed file may be called anything. */
static void add_path(struct buf *out, const json_t *of, const char *behind)
{
    buf_add_shown(out, json_get_str(of, "path", "?"));
    buf_adds(out, behind);
}

static void add_roots(struct buf *out, const json_t *app)
{
    size_t i;
    json_t *root;
    json_array_foreach(json_object_get(app, "roots"), i, root)
    {
        buf_addf(out, "  %-8s ", json_get_str(root, "state", "?"));
        add_path(out, root, "\n");
    }
}

static void add_ignored(struct buf *out, const json_t *app)
{
    size_t i;
    json_t *it;
    int64_t count = json_get_int(app, "ignored_count", 0);
    if (count)
        buf_addf(out, "ignored:\n");
    json_array_foreach(json_object_get(app, "ignored"), i, it)
    {
        if (i >= IGNORED_SHOWN)
            break;
        buf_adds(out, "  ");
        add_path(out, it, "  (");
        buf_addf(out, "%s)\n", json_get_str(it, "rule", "?"));
    }
    if (count > IGNORED_SHOWN)
        buf_addf(out, "  ... %lld in all\n", (long long)count);
}

static void add_recent(struct buf *out, const json_t *app)
{
    size_t i;
    json_t *it;
    const json_t *recent = json_object_get(app, "recent");
    if (json_array_size(recent))
        buf_addf(out, "changed last:\n");
    json_array_foreach(recent, i, it)
    {
        buf_addf(out, "  %s  ", json_get_str(it, "time", "?"));
        add_path(out, it, "\n");
    }
}

static void add_rules(struct buf *out, const json_t *app)
{
    size_t i;
    json_t *rule;
    buf_adds(out, "rules:");
    json_array_foreach(json_object_get(app, "rules"), i, rule)
        buf_addf(out, " %s", json_string_value(rule) ? json_string_value(rule) : "?");
    buf_addc(out, '\n');
}

static void add_app(struct buf *out, const json_t *app)
{
    const json_t *watch = json_object_get(app, "watch");
    const char *problem = json_get_str(watch, "problem", NULL),
               *fired = json_get_str(watch, "fired_path", NULL);
    int64_t polled = json_get_int(watch, "polled", 0);
    buf_addf(out, "%s%s: %s", out->len ? "\n" : "", json_get_str(app, "name", "?"),
             meaning(json_get_str(app, "state", "?")));
    if (json_is_object(watch))
        buf_addf(out, ", %lld folders", (long long)json_get_int(watch, "folders", 0));
    if (polled)
        buf_addf(out, ", %lld without a watch: looked at every few seconds", (long long)polled);
    buf_addc(out, '\n');
    if (problem)
        buf_addf(out, "problem: %s\n", problem);
    add_roots(out, app);
    add_rules(out, app);
    add_ignored(out, app);
    if (fired) {
        buf_addf(out, "last restart: %s, ", json_get_str(watch, "fired_at", "?"));
        buf_add_shown(out, fired);
        buf_addf(out, " (%lld in all)\n", (long long)json_get_int(watch, "fired_count", 0));
    }
    add_recent(out, app);
}

static int watch_run(struct cli *c, struct err *e)
{
    own_text params = cli_select(c, NULL);
    own_json result = NULL;
    own_buf out = { 0 };
    size_t i;
    json_t *app;
    if (cli_ask(c, "app.watch", params, &result, e) < 0)
        return -1;
    const json_t *apps = json_object_get(result, "apps");
    if (c->json)
        return out_json(apps, e);
    json_array_foreach(apps, i, app) add_app(&out, app);
    if (!out.len)
        out_note("not watched: watch = true, or start --watch");
    return out_write(&out, e);
}

const struct cmd cmd_watch = {
    .name = "watch",
    .usage = "watch [<app>...]",
    .about = "What of an app is watched, what is ignored by which rule, and what changed last.",
    .more = "--json prints an array, one object for each app with watch = true: name, namespace, status, "
            "state, watch\n"
            "(folders, polled, problem, fired_at, fired_path, fired_count), watch_delay_ms, rules, and "
            "unless it is stopped or\n"
            "scanning roots, ignored_count, ignored (the first 100) and recent (the last 10 changes).",
    .args = { .min = 0, .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = watch_run,
};
