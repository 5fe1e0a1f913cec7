#include "base/units.h"
#include "cli/cli.h"

static int ping_run(struct cli *c, struct err *e)
{
    own_json info = NULL;
    if (cli_ask(c, "daemon.info", NULL, &info, e) < 0)
        return -1;
    if (c->json)
        return out_json(info, e);
    char uptime[UNITS_TEXT];
    own_buf line = { 0 };
    buf_addf(&line, "velosd %s: pid %lld, up %s, %lld apps, home %s\n", json_get_str(info, "version", "?"),
             (long long)json_get_int(info, "pid", 0),
             units_show_uptime(json_get_int(info, "uptime_ms", 0), uptime),
             (long long)json_get_int(info, "apps", 0), json_get_str(info, "home", c->home));
    return out_write(&line, e);
}

const struct cmd cmd_ping = {
    .name = "ping",
    .usage = "ping",
    .about = "Ask whether the daemon answers; start it when there is none.",
    .args = { .max = 0 },
    .flags = CMD_NEEDS_DAEMON,
    .run = ping_run,
};
