#include "base/units.h"
#include "cli/cli.h"

/* "api: 12.3M freed" */
static void add_freed(struct buf *lines, const json_t *app)
{
    char size[UNITS_TEXT];
    buf_addf(lines, "%s: %s freed\n", json_get_str(app, "name", "?"),
             units_show_size(json_get_int(app, "bytes", 0), size));
}

static int flush_run(struct cli *c, struct err *e)
{
    own_text params = cli_select(c, NULL);
    own_json result = NULL;
    own_buf lines = { 0 };
    size_t i;
    json_t *app;
    if (cli_ask(c, "log.flush", params, &result, e) < 0)
        return cli_not_done(c, e);
    const json_t *apps = json_object_get(result, "apps");
    json_array_foreach(apps, i, app) add_freed(&lines, app);
    if ((c->json ? out_json(apps, e) : out_write(&lines, e)) < 0)
        return -1;
    return cli_outcome_errors(c, apps, e);
}

const struct cmd cmd_flush = {
    .name = "flush",
    .usage = "flush [<app>...]",
    .about = "Empty log files and delete their archives; all apps' when none is named.",
    .args = { .max = ARGS_ANY },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = flush_run,
};
