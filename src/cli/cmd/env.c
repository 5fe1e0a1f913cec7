/* env: what an app would be started with. Values that look like secrets are shown to who asks for them. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/words.h"

struct variable {
    char *name; /* its own memory; the value follows in it */
    const char *value;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct variable *)a)->name, ((const struct variable *)b)->name);
}

/* Sorted, masked, in the bytes that the app gets. */
static struct variable *read_variables(const json_t *env, bool show_secrets, size_t *n)
{
    size_t i;
    json_t *pair;
    struct variable *vars = xcalloc(json_array_size(env) + 1, sizeof(*vars));
    *n = 0;
    json_array_foreach(env, i, pair)
    {
        const char *text = json_string_value(pair);
        if (!text || !strchr(text, '='))
            continue;
        struct variable *v = &vars[(*n)++];
        v->name = json_uncarry(xstrdup(text));
        char *equals = strchr(v->name, '=');
        *equals = '\0';
        v->value = show_secrets || !words_is_secret(v->name) ? equals + 1 : "********";
    }
    qsort(vars, *n, sizeof(*vars), by_name);
    return vars;
}

static void add_env(const struct cli *c, const json_t *env, struct buf *out, struct json_out *j)
{
    size_t n;
    struct variable *vars = read_variables(env, args_has(&c->args, "show-secrets"), &n);
    for (size_t i = 0; i < n; i++) {
        if (c->json)
            json_str(j, vars[i].name, vars[i].value);
        else
            buf_addf(out, "%s=%s\n", vars[i].name, vars[i].value);
        free(vars[i].name);
    }
    free(vars);
}

static void add_app_json(const struct cli *c, const json_t *app, struct json_out *j)
{
    json_open(j, NULL, '{');
    json_str(j, "name", json_get_str(app, "name", "?"));
    const json_t *error = json_object_get(app, "error");
    own_text why = error ? json_dumps(error, JSON_COMPACT) : NULL;
    if (why) {
        json_raw(j, "error", why);
    } else {
        json_open(j, "env", '{');
        add_env(c, json_object_get(app, "env"), NULL, j);
        json_close(j, '}');
    }
    json_close(j, '}');
}

/* Several apps: each under a line that names it. */
static void add_app_text(const struct cli *c, const json_t *app, bool several, struct buf *out)
{
    if (several)
        buf_addf(out, "%s# %s\n", out->len ? "\n" : "", json_get_str(app, "name", "?"));
    add_env(c, json_object_get(app, "env"), out, NULL);
}

static int env_run(struct cli *c, struct err *e)
{
    own_text params = cli_select(c, NULL);
    own_json result = NULL;
    if (cli_ask(c, "app.env", params, &result, e) < 0)
        return -1;
    const json_t *apps = json_object_get(result, "apps");
    own_buf out = { 0 };
    struct json_out j = JSON_OUT(&out);
    size_t i;
    json_t *app;
    if (c->json)
        json_open(&j, NULL, '[');
    json_array_foreach(apps, i, app)
    {
        if (c->json)
            add_app_json(c, app, &j);
        else if (!json_object_get(app, "error"))
            add_app_text(c, app, json_array_size(apps) > 1, &out);
    }
    if (c->json)
        json_close(&j, ']');
    if ((c->json ? out_json_text(out.data, out.len, e) : out_write(&out, e)) < 0)
        return -1;
    return cli_outcome_errors(c, apps, e);
}

const struct cmd cmd_env = {
    .name = "env",
    .usage = "env [--show-secrets] <app>...",
    .about = "The environment an app's next start gets: NAME=value lines, sorted.",
    .more = "Values of names with KEY, TOKEN, SECRET or PASS in them are shown as ********.\n"
            "--json prints an array, one object an app: name, env (an object).",
    .args = { .min = 1, .max = ARGS_ANY },
    .opts = (const struct opt[]){ { 0, "show-secrets", OPT_FLAG, "Show all values." }, { 0 } },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = env_run,
};
