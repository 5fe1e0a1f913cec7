/* restart, reload: apps, and the apps of files, which take the file's settings first; they differ in what the
 * daemon is asked to do with them. */
#include "cli/files.h"

static int ask(struct cli *c, const char *method, const struct config *files, char *const *select,
               struct err *e)
{
    own_buf params = { 0 };
    struct json_out j = JSON_OUT(&params);
    json_open(&j, NULL, '{');
    json_strv(&j, "select", select);
    if (files->len)
        files_write_apps(files, &j);
    if (files->len || args_has(&c->args, "update-env"))
        files_write_environ(&j);
    json_close(&j, '}');
    int status = cli_act(c, method, params.data, NULL, e);
    if (status < 0 && e->code == ERR_NOT_FOUND && files->len)
        err_hint(e, "velos start with the file starts those of its apps that are not there");
    return status < 0 ? files_explain(c, e) : status;
}

static int run(struct cli *c, const char *method, struct err *e)
{
    struct config files = { 0 };
    own_strv select = NULL;
    int status = files_read_words(c, &files, &select, e);
    for (size_t i = 0; status == 0 && i < files.len; i++)
        select = strv_add(select, files.apps[i]->name);
    if (status == 0)
        status = ask(c, method, &files, select, e);
    config_done(&files);
    return status;
}

static int restart_run(struct cli *c, struct err *e)
{
    return run(c, "app.restart", e);
}

static int reload_run(struct cli *c, struct err *e)
{
    return run(c, "app.reload", e);
}

static const struct opt opts[] = {
    { 'u', "update-env", OPT_FLAG, "Take the caller's environment." },
    FILES_OPTS,
    { 0 },
};

const struct cmd cmd_restart = {
    .name = "restart",
    .usage = "restart [--update-env] <app|file.toml>...",
    .about = "Stop and start apps; their ids stay.",
    .more = "With a file its apps are restarted with the file's settings.",
    .args = { .min = 1, .max = ARGS_ANY },
    .opts = opts,
    .flags = CMD_NEEDS_DAEMON,
    .words = WORDS_APPS | WORDS_FILES,
    .run = restart_run,
};

const struct cmd cmd_reload = {
    .name = "reload",
    .usage = "reload [--update-env] <app|file.toml>...",
    .about = "Restart apps gently: one instance after the other, each ready before the next stops.",
    .more =
        "An instance that does not get ready ends it: those behind it go on as they were, and the status is\n"
        "not 0. With a file its apps are reloaded with the file's settings.",
    .args = { .min = 1, .max = ARGS_ANY },
    .opts = opts,
    .flags = CMD_NEEDS_DAEMON,
    .words = WORDS_APPS | WORDS_FILES,
    .run = reload_run,
};
