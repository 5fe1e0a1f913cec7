#include "cli/cli.h"
#include "cli/words.h"
#include "os/signame.h"

static int signal_run(struct cli *c, struct err *e)
{
    int number;
    if (words_signal(c->args.words[0], &number, e) < 0)
        return -1;
    own_buf params = { 0 };
    struct json_out j = JSON_OUT(&params);
    json_open(&j, NULL, '{');
    json_strv(&j, "select", (char *const *)c->args.words + 1);
    json_int(&j, "signal", number);
    json_close(&j, '}');
    char name[OS_SIGNAME];
    own_text said = xasprintf("%s sent", os_signame(number, name));
    return cli_act(c, "app.signal", params.data, said, e);
}

const struct cmd cmd_signal = {
    .name = "signal",
    .usage = "signal <signal> <app>...",
    .about = "Send a signal to the main process of each instance.",
    .more = "SIGHUP, HUP and 1 are the same; SIGRTMIN+3 and SIGRTMAX-3 are signals too. What ends by it "
            "counts as an exit of its own: stop is what stops.",
    .args = { .min = 2, .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_SIGNALS | WORDS_APPS,
    .run = signal_run,
};
