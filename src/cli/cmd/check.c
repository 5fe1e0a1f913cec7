/* check: what `start FILE` would refuse, found without a daemon: the file as a whole, then for each app its
 * folder, its files of variables, and which program would run it, on the PATH it would get. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/files.h"
#include "conf/dotenv.h"
#include "conf/interp.h"
#include "conf/settings_file.h"

/* NULL: there is none among them. */
static const char *path_in(char *const *variables)
{
    const char *found = NULL;
    for (; variables && *variables; variables++)
        if (text_starts(*variables, "PATH="))
            found = *variables + strlen("PATH=");
    return found;
}

static const char *inherited_path(const struct inherit_env *inherit)
{
    return inherit->all || strv_has(inherit->names, "PATH") ? getenv("PATH") : NULL;
}

/* As the daemon puts an app's environment together: what is inherited, its files in their order, its env. A
 * file that cannot be read is a problem, each of them. */
static char *read_path(const struct app_spec *s, struct conf_problems *problems)
{
    const char *own = path_in(s->env), *inherited = inherited_path(&s->inherit_env);
    char *path = inherited ? xstrdup(inherited) : NULL;
    for (char *const *file = s->env_file; file && *file; file++) {
        own_strv variables = NULL;
        struct err e;
        if (dotenv_load(*file, &variables, &e) < 0)
            conf_problem_add(problems, NULL, e.hint[0] ? e.hint : NULL, "%s: env_file: %s", s->name, e.text);
        const char *found = path_in(variables);
        if (!found)
            continue;
        free(path);
        path = xstrdup(found);
    }
    if (!own)
        return path;
    free(path);
    return xstrdup(own);
}

static int resolve(const struct app_spec *s, const char *path, struct interp_plan *plan, struct err *e)
{
    if (access(s->cwd, X_OK) < 0) {
        err_sys(e, "cwd %s", s->cwd);
        return -1;
    }
    struct interp_query query = {
        .script = s->script,
        .cwd = s->cwd,
        .interpreter = s->interpreter,
        .interpreter_args = s->interpreter_args,
        .args = s->args,
        .path = path,
        .fs = &interp_disk,
        .rules = &interp_unix,
    };
    return interp_resolve(&query, plan, e);
}

static void add_program(struct buf *lines, const char *name, const struct interp_plan *plan)
{
    buf_addf(lines, "%s: ", name);
    if (!text_equal(plan->interpreter, "none")) {
        buf_add_shown(lines, plan->script);
        buf_adds(lines, " with ");
    }
    buf_add_shown(lines, plan->exec);
    buf_addc(lines, '\n');
}

static void check_app(const struct app_spec *s, struct conf_problems *problems, struct buf *lines)
{
    struct interp_plan plan = { 0 };
    struct err e;
    own_text path = read_path(s, problems);
    if (resolve(s, path, &plan, &e) < 0)
        conf_problem_add(problems, NULL, e.hint[0] ? e.hint : NULL, "%s: %s", s->name, e.text);
    else
        add_program(lines, s->name, &plan);
    interp_plan_done(&plan);
}

static void add_json_problem(struct json_out *j, const struct conf_problem *p)
{
    json_open(j, NULL, '{');
    json_str(j, "file", p->file);
    json_int(j, "line", p->line);
    json_int(j, "column", p->col);
    json_str(j, "message", p->text);
    json_str(j, "hint", p->hint);
    json_close(j, '}');
}

static int print_json(const char *path, const struct config *file, const struct conf_problems *problems,
                      struct err *e)
{
    own_buf text = { 0 };
    struct json_out j = JSON_OUT(&text);
    json_open(&j, NULL, '{');
    json_str(&j, "file", path);
    json_flag(&j, "ok", problems->len == 0);
    json_open(&j, "apps", '[');
    for (size_t i = 0; i < file->len; i++)
        json_str(&j, NULL, file->apps[i]->name);
    json_close(&j, ']');
    json_open(&j, "problems", '[');
    for (size_t i = 0; i < problems->len; i++)
        add_json_problem(&j, &problems->items[i]);
    json_close(&j, ']');
    json_close(&j, '}');
    buf_addc(&text, '\n');
    return out_write(&text, e);
}

static int report(struct cli *c, const char *path, const struct config *file,
                  const struct conf_problems *problems, struct buf *lines, struct err *e)
{
    if (c->json && print_json(path, file, problems, e) < 0)
        return -1;
    if (problems->len)
        return cli_problems(c, problems);
    if (c->json)
        return 0;
    buf_addf(lines, "%s: %zu %s, nothing wrong\n", path, file->len, file->len == 1 ? "app" : "apps");
    return out_write(lines, e);
}

/* config.toml: [daemon]. */
static int check_settings(struct cli *c, const char *path, struct err *e)
{
    own_settings s = NULL;
    struct conf_problems problems = { 0 };
    const struct config none = { 0 };
    own_buf lines = { 0 };
    int status;
    if (access(path, F_OK) < 0)
        return err_sys(e, "%s", path);
    if (settings_load(path, &s, &problems) == 0 && !c->json)
        buf_addf(&lines, "%s: settings of the daemon, nothing wrong\n", path);
    if (problems.len == 0 && !c->json)
        status = out_write(&lines, e);
    else
        status = report(c, path, &none, &problems, &lines, e);
    conf_problems_done(&problems);
    return status;
}

static int check_run(struct cli *c, struct err *e)
{
    const char *path = c->args.n_words ? c->args.words[0] : "velos.toml";
    if (files_check_only(c, e) < 0)
        return -1;
    if (!c->args.n_words && access(path, F_OK) < 0 && !c->json) {
        err_set(e, ERR_CONFIG, "nothing is named, and there is no velos.toml here");
        return err_hint(e, "velos check FILE; velos init writes a velos.toml");
    }
    if (settings_file_is_one(path))
        return check_settings(c, path, e);
    own_strv only = files_only(c);
    struct config_query query = { .path = path, .only = only, .profile = args_text(&c->args, "env", NULL) };
    struct conf_problems problems = { 0 };
    struct config file = { 0 };
    own_buf lines = { 0 };
    if (config_load(&query, &file, &problems) == 0) {
        problems.file = path;
        for (size_t i = 0; i < file.len; i++)
            check_app(file.apps[i], &problems, &lines);
    }
    int status = report(c, path, &file, &problems, &lines, e);
    config_done(&file);
    conf_problems_done(&problems);
    return status;
}

const struct cmd cmd_check = {
    .name = "check",
    .usage = "check [file.toml]",
    .about = "Find what is wrong in a file, all of it, without a daemon.",
    .more = "Also looks for each app's script, interpreter and cwd, and reads its env_file. Alone: "
            "./velos.toml.\n"
            "A file with a table [daemon] (config.toml in velos's home) is checked as what it is.",
    .args = { .max = 1 },
    .opts = (const struct opt[]){ FILES_OPTS, { 0 } },
    .words = WORDS_FILES,
    .run = check_run,
};
