/* pid: for scripts: `kill -USR1 $(velos pid api)`. */
#include "cli/cli.h"

static void add_json(struct json_out *j, const json_t *app)
{
    int64_t pid = json_get_int(app, "pid", 0);
    json_open(j, NULL, '{');
    json_int(j, "id", json_get_int(app, "id", -1));
    json_str(j, "name", json_get_str(app, "name", "?"));
    json_int(j, "instance", json_get_int(app, "instance", 0));
    if (pid)
        json_int(j, "pid", pid);
    else
        json_null_at(j, "pid");
    json_close(j, '}');
}

static int print(const struct cli *c, const json_t *apps, size_t *running, struct err *e)
{
    own_buf out = { 0 };
    struct json_out j = JSON_OUT(&out);
    size_t i;
    json_t *app;
    if (c->json)
        json_open(&j, NULL, '[');
    json_array_foreach(apps, i, app)
    {
        int64_t pid = json_get_int(app, "pid", 0);
        *running += pid != 0;
        if (c->json)
            add_json(&j, app);
        else if (pid)
            buf_addf(&out, "%lld\n", (long long)pid);
    }
    if (!c->json)
        return out_write(&out, e);
    json_close(&j, ']');
    return out_json_text(out.data, out.len, e);
}

static int pid_run(struct cli *c, struct err *e)
{
    own_text params = cli_select(c, NULL);
    own_json result = NULL;
    size_t running = 0;
    if (cli_ask(c, "app.list", params, &result, e) < 0 ||
        print(c, json_object_get(result, "apps"), &running, e) < 0)
        return -1;
    return running ? 0 : err_set(e, ERR_FAILED, "no process runs");
}

const struct cmd cmd_pid = {
    .name = "pid",
    .usage = "pid <app>...",
    .about = "The main process of each instance, one pid a line; 1 if none runs.",
    .more = "--json prints an array, one object an instance: id, name, instance, pid (or null).",
    .args = { .min = 1, .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = pid_run,
};
