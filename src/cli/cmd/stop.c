/* stop, delete: the apps asked for, one outcome each. They need no daemon that is not there: nothing runs. */
#include <string.h>

#include "cli/files.h"

static bool has_name(const json_t *rows, const char *name)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (strcmp(json_get_str(row, "name", ""), name) == 0)
            return true;
    }
    return false;
}

/* Of a file the apps that velos knows: what was never started need not be stopped. */
static int add_known(struct cli *c, const struct config *files, char ***select, struct err *e)
{
    own_json result = NULL;
    if (cli_ask(c, "app.list", NULL, &result, e) < 0)
        return -1;
    const json_t *rows = json_object_get(result, "apps");
    for (size_t i = 0; i < files->len; i++)
        if (has_name(rows, files->apps[i]->name))
            *select = strv_add(*select, files->apps[i]->name);
        else if (!c->json)
            out_note("%s: %s is not there, left out", c->cmd->name, files->apps[i]->name);
    if (*select)
        return 0;
    err_set(e, ERR_NOT_FOUND, "none of the file's apps is there");
    return err_hint(e, "velos list shows the apps there are");
}

static int run(struct cli *c, const char *method, const char *said, struct err *e)
{
    struct config files = { 0 };
    own_strv select = NULL;
    int status = files_read_words(c, &files, &select, e);
    if (status == 0 && files.len)
        status = add_known(c, &files, &select, e);
    config_done(&files);
    if (status != 0)
        return status;
    own_text params = cli_select(c, (const char *const *)select);
    status = cli_act(c, method, params, said, e);
    return status < 0 ? files_explain(c, e) : status;
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
    .usage = "stop <app|file.toml>...",
    .about = "Stop apps; they stay known and start again by name.",
    .more = "An app gets its kill_signal, and SIGKILL once its kill_timeout is over. So does every process "
            "it has\n"
            "started, in whatever session or process group; suspended ones are continued. With a file its "
            "apps are\n"
            "stopped, those of them that are there.",
    .args = { .min = 1, .max = ARGS_ANY },
    .opts = (const struct opt[]){ FILES_ONLY, { 0 } },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS | WORDS_FILES,
    .run = stop_run,
};

const struct cmd cmd_delete = {
    .name = "delete",
    .aliases = ALIASES("del", "rm"),
    .usage = "delete <app|file.toml>...",
    .about = "Stop apps and forget them; their log files stay.",
    .more = "With a file its apps are deleted, those of them that are there.",
    .args = { .min = 1, .max = ARGS_ANY },
    .opts = (const struct opt[]){ FILES_ONLY, { 0 } },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS | WORDS_FILES,
    .run = delete_run,
};
