#include "cli/cli.h"

static int reset_run(struct cli *c, struct err *e)
{
    own_text params = cli_select(c, NULL);
    return cli_act(c, "app.reset", params, "counters reset", e);
}

const struct cmd cmd_reset = {
    .name = "reset",
    .usage = "reset <app>...",
    .about = "Set restart counters to 0; unstable exits are forgotten. What runs goes on.",
    .args = { .min = 1, .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = reset_run,
};
