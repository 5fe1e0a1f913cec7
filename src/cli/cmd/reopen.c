#include "cli/cli.h"

static int reopen_run(struct cli *c, struct err *e)
{
    own_text params = cli_select(c, NULL);
    return cli_act(c, "log.reopen", params, "log files reopened", e);
}

const struct cmd cmd_reopen = {
    .name = "reopen",
    .usage = "reopen [<app>...]",
    .about =
        "Open log files by their names again, after somebody else has moved them (logrotate's postrotate).",
    .args = { .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = reopen_run,
};
