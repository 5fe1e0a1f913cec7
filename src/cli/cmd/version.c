#include "cli/cli.h"
#include "config.h"

/* The daemon's stands beside ours when one runs: after an installation they differ until `velos update`. */
static int version_run(struct cli *c, struct err *e)
{
    own_json info = NULL;
    if (cli_ask_running(c, "daemon.info", NULL, &info, e) < 0 && !cli_no_daemon(e) && e->code != ERR_DENIED)
        return -1;
    const char *daemon = info ? json_get_str(info, "version", "?") : NULL;
    own_buf text = { 0 };
    if (c->json) {
        struct json_out j = JSON_OUT(&text);
        json_open(&j, NULL, '{');
        json_str(&j, "version", VELOS_VERSION);
        json_str(&j, "daemon_version", daemon);
        json_close(&j, '}');
        buf_addc(&text, '\n');
        return out_write(&text, e);
    }
    buf_adds(&text, "velos " VELOS_VERSION "\n");
    if (daemon)
        buf_addf(&text, "velosd %s\n", daemon);
    return out_write(&text, e);
}

const struct cmd cmd_version = {
    .name = "version",
    .usage = "version",
    .about = "The version of velos, and of the daemon when one runs.",
    .args = { .max = 0 },
    .run = version_run,
};
