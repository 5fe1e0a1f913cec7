/* save, resurrect: the list of apps to state.json and back. */
#include "cli/cli.h"

static int save_run(struct cli *c, struct err *e)
{
    own_json result = NULL;
    if (cli_ask(c, "state.save", args_has(&c->args, "force") ? "{\"force\":true}" : NULL, &result, e) < 0)
        return -1;
    const char *warning = json_get_str(result, "warning", NULL);
    if (warning)
        out_note("%s", warning);
    if (c->json)
        return out_json(result, e);
    int64_t n = json_get_int(result, "apps", 0);
    own_buf line = { 0 };
    buf_addf(&line, "%lld %s saved in %s\n", (long long)n, n == 1 ? "app" : "apps",
             json_get_str(result, "path", "?"));
    return out_write(&line, e);
}

static int resurrect_run(struct cli *c, struct err *e)
{
    own_json result = NULL;
    if (cli_ask(c, "state.resurrect", NULL, &result, e) < 0)
        return -1;
    const char *warning = json_get_str(result, "warning", NULL);
    if (warning)
        out_note("%s", warning);
    return cli_outcomes(c, json_object_get(result, "apps"), NULL, e);
}

const struct cmd cmd_save = {
    .name = "save",
    .usage = "save [--force]",
    .about = "Save the list of apps; resurrect, and the start at boot, bring it back.",
    .more = "It goes to state.json in velos's home, with ids, counters, settings and environments, readable "
            "by you\n"
            "alone; the list saved before is kept as state.json.1. An app that runs is saved as running, one "
            "that\n"
            "is stopped or errored as that.",
    .args = { .max = 0 },
    .opts = (const struct opt[]){ { 0, "force", OPT_FLAG, "Save an empty list, too." }, { 0 } },
    .flags = CMD_ASKS_DAEMON,
    .run = save_run,
};

const struct cmd cmd_resurrect = {
    .name = "resurrect",
    .usage = "resurrect",
    .about = "Bring back the saved apps that are not there.",
    .more = "Apps that ran when they were saved start; stopped and errored ones are listed as that. Apps "
            "whose name is\n"
            "in the list already are left alone. A damaged state.json is left as it is, and state.json.1 is "
            "used.",
    .args = { .max = 0 },
    .flags = CMD_NEEDS_DAEMON,
    .run = resurrect_run,
};
