#include "cli/cli.h"
#include "cli/words.h"
#include "conf/keys.h"

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
    const char *name = key_signal_name(number);
    own_text said = name ? xasprintf("%s sent", name) : xasprintf("signal %d sent", number);
    return cli_act(c, "app.signal", params.data, said, e);
}

const struct cmd cmd_signal = {
    .name = "signal",
    .usage = "signal <signal> <app>...",
    .about = "Send a signal to the main process of each instance.",
    .more =
        "SIGHUP, HUP and 1 are the same. What ends by it counts as an exit of its own: stop is what stops.",
    .args = { .min = 2, .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_SIGNALS | WORDS_APPS,
    .run = signal_run,
};
