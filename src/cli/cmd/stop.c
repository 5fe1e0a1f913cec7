/* stop, delete: the apps asked for, one outcome each. They need no daemon that is not there: nothing runs. */
#include "cli/cli.h"

static int run(struct cli *c, const char *method, const char *said, struct err *e)
{
    own_text params = cli_select(c, NULL);
    return cli_act(c, method, params, said, e);
}

static int stop_run(struct cli *c, struct err *e)
{
    return run(c, "app.stop", NULL, e);
}

static int delete_run(struct cli *c, struct err *e)
{
    return run(c, "app.delete", "deleted", e);
}

const struct cmd cmd_stop = {
    .name = "stop",
    .usage = "stop <app>...",
    .about = "Stop apps; they stay known and start again by name.",
    .more =
        "An app gets its kill_signal, and SIGKILL once its kill_timeout is over; with it goes everything it\n"
        "has started.",
    .args = { .min = 1, .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = stop_run,
};

const struct cmd cmd_delete = {
    .name = "delete",
    .aliases = ALIASES("del", "rm"),
    .usage = "delete <app>...",
    .about = "Stop apps and forget them; their log files stay.",
    .args = { .min = 1, .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = delete_run,
};
