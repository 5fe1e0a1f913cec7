#include <poll.h>

#include "cli/cli.h"
#include "proto/launch.h"

enum { GONE_MS = 5000 };

/* It answers before it ends; we end after it, so that what comes next meets none. False: it does not get
 * there. */
static bool await_end(const struct cli *c, bool leave)
{
    struct pollfd p = { .fd = client_fd(c->client), .events = POLLIN };
    if (poll(&p, 1, GONE_MS) == 0)
        return false;
    if (!leave)
        launch_await_end(c->home, GONE_MS);
    return true;
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
    if (!await_end(c, leave)) {
        err_set(e, ERR_TIMEOUT, "%s, but the daemon has not ended within %d s",
                leave ? "apps go on" : "all apps are stopped", GONE_MS / 1000);
        return err_hint(e, "does the disk of %s hang? it ends when that goes on", c->home);
    }
    const json_t *apps = json_object_get(result, "apps");
    if (c->json)
        return out_json(result, e) < 0 ? -1 : cli_outcome_errors(c, apps, e);
    own_buf line = { 0 };
    if (leave)
        buf_adds(&line, "the daemon has ended; its apps go on\n");
    else
        buf_addf(&line, "the daemon has ended; apps stopped: %lld\n",
                 (long long)json_get_int(result, "stopped", 0));
    return out_write(&line, e) < 0 ? -1 : cli_outcome_errors(c, apps, e);
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
