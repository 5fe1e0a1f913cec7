/* update: the daemon that runs gives way to the version that is installed. It cannot answer itself; the one
 * that comes does. */
#include "cli/settings.h"

enum { UPDATE_MS = 60000, ROLL_BACK_MS = 30000 /* one that does not get up has 10 s */ };

static int update_run(struct cli *c, struct err *e)
{
    own_text settings = NULL;
    own_buf params = { 0 };
    own_json result = NULL;
    struct json_out j = JSON_OUT(&params);
    struct client_options o = {
        .home = c->home, .start = CLIENT_NEVER_START, .any_version = true, .timeout_ms = ROLL_BACK_MS
    };
    if (settings_json(c->home, &settings, e) < 0 || client_open(&o, &c->client, e) < 0)
        return -1;
    json_open(&j, NULL, '{');
    json_str(&j, "settings", settings);
    json_close(&j, '}');
    if (client_call(c->client, "daemon.update", params.data, UPDATE_MS, NULL, NULL, &result, e) < 0)
        return -1;
    if (c->json)
        return out_json(result, e);
    own_buf line = { 0 };
    buf_addf(&line, "velosd %s runs, pid %lld; apps that went on: %lld\n",
             json_get_str(result, "version", "?"), (long long)json_get_int(result, "pid", 0),
             (long long)json_get_int(result, "apps", 0));
    return out_write(&line, e);
}

const struct cmd cmd_update = {
    .name = "update",
    .usage = "update",
    .about = "Replace the running daemon by the installed version; apps go on.",
    .more = "config.toml is read anew. If the installed version does not get up, the one that ran goes on: "
            "1, and why.",
    .args = { .max = 0 },
    .flags = CMD_ASKS_DAEMON,
    .run = update_run,
};
