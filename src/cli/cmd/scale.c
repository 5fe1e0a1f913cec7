#include "cli/cli.h"
#include "cli/words.h"

static int scale_run(struct cli *c, struct err *e)
{
    struct words_scale scale;
    if (words_scale(c->args.words[1], &scale, e) < 0)
        return -1;
    own_buf params = { 0 };
    struct json_out j = JSON_OUT(&params);
    json_open(&j, NULL, '{');
    json_open(&j, "select", '[');
    json_str(&j, NULL, c->args.words[0]);
    json_close(&j, ']');
    json_int(&j, scale.change ? "change" : "instances", scale.n);
    json_close(&j, '}');
    return cli_act(c, "app.scale", params.data, NULL, e);
}

const struct cmd cmd_scale = {
    .name = "scale",
    .usage = "scale <app> <n|+n|-n|max>",
    .about = "More or fewer instances of an app; max is one for each CPU.",
    .more = "New ones start beside the others; those with the highest numbers stop first. The others are "
            "left alone.",
    .args = { .min = 2, .max = 2, .numbers = true },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = scale_run,
};
