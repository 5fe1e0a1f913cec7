#include <poll.h>

#include "cli/cli.h"
#include "proto/launch.h"

enum { GONE_MS = 5000 };

/* It answers before it ends; we end after it, so that what comes next meets none. */
static void await_end(const struct cli *c, bool leave)
{
    struct pollfd p = { .fd = client_fd(c->client), .events = POLLIN };
    poll(&p, 1, GONE_MS);
    if (!leave)
        launch_await_end(c->home, GONE_MS);
}

static int kill_run(struct cli *c, struct err *e)
{
    bool leave = args_has(&c->args, "leave-apps");
    own_json result = NULL;
    if (cli_ask(c, "daemon.kill", leave ? "{\"leave_apps\":true}" : NULL, &result, e) < 0) {
        if (!cli_no_daemon(e))
            return -1;
        out_note("%s", e->text);
        return 0;
    }
    await_end(c, leave);
    if (c->json)
        return out_json(result, e);
    own_buf line = { 0 };
    if (leave)
        buf_adds(&line, "the daemon has ended; its apps go on\n");
    else
        buf_addf(&line, "the daemon has ended; apps stopped: %lld\n",
                 (long long)json_get_int(result, "stopped", 0));
    return out_write(&line, e);
}

const struct cmd cmd_kill = {
    .name = "kill",
    .usage = "kill [--leave-apps]",
    .about = "Stop every app, then the daemon.",
    .args = { .max = 0 },
    .opts = (const struct opt[]){ { 0, "leave-apps", OPT_FLAG,
                                    "Stop the daemon alone; the next one takes the apps over." },
                                  { 0 } },
    .flags = CMD_ASKS_DAEMON,
    .run = kill_run,
};
