#include <unistd.h>

#include "cli/help.h"

static int help_run(struct cli *c, struct err *e)
{
    if (c->args.n_words == 0)
        return help_all(STDOUT_FILENO, e);
    const struct cmd *cmd = cmd_find(c->args.words[0]);
    if (cmd)
        return help_command(cmd, e);
    err_set(e, ERR_USAGE, "there is no command `%s`", c->args.words[0]);
    return err_hint(e, "velos help lists the commands");
}

const struct cmd cmd_help = {
    .name = "help",
    .usage = "help [command]",
    .about = "This list, or help on one command.",
    .args = { .max = 1 },
    .words = WORDS_COMMANDS,
    .run = help_run,
};
