#include "cli/cli.h"

static char *join(const char *const *words)
{
    own_buf line = { 0 };
    for (const char *const *w = words; *w; w++)
        buf_addf(&line, "%s%s", w == words ? "" : " ", *w);
    return buf_steal(&line);
}

static int send_run(struct cli *c, struct err *e)
{
    own_text line = join(c->args.words + 1);
    own_buf params = { 0 };
    struct json_out j = JSON_OUT(&params);
    json_open(&j, NULL, '{');
    json_open(&j, "select", '[');
    json_str(&j, NULL, c->args.words[0]);
    json_close(&j, ']');
    json_str(&j, "line", line);
    json_close(&j, '}');
    return cli_act(c, "app.send", params.data, "sent", e);
}

const struct cmd cmd_send = {
    .name = "send",
    .usage = "send <app> [--] <line>...",
    .about = "Write a line to the standard input of each instance.",
    .more = "The words are joined by blanks. Words behind -- may begin with a dash.",
    .args = { .min = 2, .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = send_run,
};
