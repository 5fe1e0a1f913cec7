/* start: each word is a known app's name, a file, or a program on PATH, in this order; flags of the key
 * table are merged over what that gives. Everything is read and checked before anything is asked for. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/files.h"
#include "conf/limits.h"
#include "os/cwd.h"

struct plan {
    struct app_spec *over; /* the settings given as flags */
    struct config files;   /* apps of files: one that is known takes the new settings */
    struct config scripts; /* new apps: a name that is taken is an error */
    char **select;         /* known apps */
    char *cwd;             /* the caller's; a symlink he came by is kept */
};

static void plan_done(struct plan *p)
{
    app_spec_free(p->over);
    config_done(&p->files);
    config_done(&p->scripts);
    strv_free(p->select);
    free(p->cwd);
}

static int set(struct app_spec *s, const char *key, const char *value, const char *base, struct err *e)
{
    return keys_read_text(s, key_find(key), value, base, e);
}

static int read_settings(const struct args *a, struct plan *p, struct err *e)
{
    p->over = app_spec_new();
    for (size_t i = 0; i < a->n_given; i++) {
        const struct given *g = &a->given[i];
        if (g->key && keys_read_text(p->over, g->key, g->value, p->cwd, e) < 0)
            return -1;
    }
    return 0;
}

/* Does the daemon, if one runs, know an app by this word? 1, 0, or -1. */
static int is_known(struct cli *c, const char *word, struct err *e)
{
    own_text params = cli_select(c, (const char *const[]){ word, NULL });
    own_json result = NULL;
    if (cli_ask_running(c, "app.list", params, &result, e) == 0)
        return 1;
    bool no_selector = e->code == ERR_USAGE || e->code == ERR_PARAMS;
    return e->code == ERR_NOT_FOUND || no_selector || cli_no_daemon(e) ? 0 : -1;
}

static void set_args(struct app_spec *s, char **take_args)
{
    strv_free(s->args);
    s->args = take_args;
    s->set |= UINT64_C(1) << (key_find("args") - keys);
}

/* A path as the daemon needs it; a program's name stays one. */
static char *script_path(const struct plan *p, const char *script)
{
    if (strchr(script, '/') || files_is_there(script))
        return path_absolute(p->cwd, script);
    return xstrdup(script);
}

static int add_script(const struct cli *c, struct plan *p, const char *script, char *const *args,
                      const char *name, struct err *e)
{
    own_app_spec s = app_spec_new();
    own_text path = script_path(p, script);
    if (set(s, "script", path, p->cwd, e) < 0 || set(s, "cwd", p->cwd, p->cwd, e) < 0)
        return -1;
    keys_merge(s, p->over);
    if (!s->name && set(s, "name", name, p->cwd, e) < 0)
        return err_hint(e, "give it a name: --name NAME");
    char **all = strv_copy(s->args); /* --args, then those of the command, then those behind `--` */
    for (; args && *args; args++)
        all = strv_add(all, *args);
    for (const char **r = c->args.rest; *r; r++)
        all = strv_add(all, *r);
    if (all)
        set_args(s, all);
    files_append(&p->scripts, steal(s));
    return 0;
}

static int add_file(const struct cli *c, struct plan *p, const char *script, struct err *e)
{
    own_text name = files_app_name(script);
    return add_script(c, p, script, NULL, name, e);
}

/* What a shell runs has its arguments in its line. */
static int check_shell(const struct cli *c, const struct plan *p, const char *line, struct err *e)
{
    bool args = c->args.n_rest || key_is_set(key_find("args"), p->over);
    if (!args && !p->over->interpreter)
        return 0;
    err_set(e, ERR_USAGE, "`%s` is a line for sh: %s", line,
            args ? "its arguments stand in it" : "it has no other interpreter");
    return err_hint(e, "put all of it into the line; or name a script, and its arguments behind `--`");
}

/* "npm run dev", when no file is called so. */
static int add_command(const struct cli *c, struct plan *p, const char *line, struct err *e)
{
    struct files_command cmd = { 0 };
    int r = files_read_command(line, &cmd, e);
    if (r == 0 && cmd.shell)
        r = check_shell(c, p, line, e);
    if (r == 0)
        r = add_script(c, p, cmd.words[0], cmd.words + 1, cmd.name, e);
    files_command_done(&cmd);
    return r;
}

static int add_known(struct plan *p, const char *word, struct err *e)
{
    if (p->over->set) {
        err_set(e, ERR_USAGE, "%s is known already: start takes no new settings for it", word);
        return err_hint(e, "velos delete %s, then start it anew; or --name NAME for another app", word);
    }
    p->select = strv_add(p->select, word);
    return 0;
}

/* A name given makes it a new app; a word with a slash is a file if there is one, else ns/name perhaps. */
static int may_be_known(struct cli *c, const struct plan *p, const char *word, struct err *e)
{
    bool path = strchr(word, '/') && access(word, F_OK) == 0;
    return p->over->name || path ? 0 : is_known(c, word, e);
}

static int add_word(struct cli *c, struct plan *p, const char *word, struct err *e)
{
    int known = may_be_known(c, p, word, e);
    if (known < 0)
        return -1;
    if (known)
        return add_known(p, word, e);
    if (files_is_one(word))
        return files_load(c, word, &p->files);
    if (files_is_there(word))
        return !p->over->interpreter && files_check_pm2(word, e) < 0 ? -1 : add_file(c, p, word, e);
    if (strcmp(path_ext(word), ".toml") == 0)
        return err_set(e, ERR_CONFIG, "%s: no such file", word);
    return add_command(c, p, word, e);
}

static int add_default_file(struct cli *c, struct plan *p, struct err *e)
{
    if (files_is_one("velos.toml"))
        return files_load(c, "velos.toml", &p->files);
    err_set(e, ERR_USAGE, "nothing is named, and there is no velos.toml here");
    return err_hint(e, "velos start <script>; velos help start");
}

/* 0; or the exit status of what is shown already; or -1. */
static int read_words(struct cli *c, struct plan *p, struct err *e)
{
    const char *file = args_text(&c->args, "config", NULL);
    if (!file && c->args.n_words == 0)
        return add_default_file(c, p, e);
    int status = file ? files_load(c, file, &p->files) : 0;
    for (const char **w = c->args.words; status == 0 && *w; w++)
        status = add_word(c, p, *w, e);
    return status;
}

/* What was asked for, but fits nothing. */
static int check_plan(const struct cli *c, const struct plan *p, struct err *e)
{
    size_t apps = p->files.len + p->scripts.len;
    if (c->args.n_rest && (p->scripts.len != 1 || p->files.len || p->select))
        return err_set(e, ERR_USAGE, "arguments behind `--` go to one script");
    if (p->over->name && apps != 1)
        return err_set(e, ERR_USAGE, "--name names one app, these are %zu", apps);
    return files_check_opts(c, &p->files, e);
}

/* The caller's soft limit of descriptors: what a program started by hand would have. */
static int64_t read_nofile(void)
{
    struct rlimit r;
    return getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur != RLIM_INFINITY ? (int64_t)r.rlim_cur : 0;
}

/* To read it is to set it. */
static mode_t read_umask(void)
{
    mode_t mask = umask(022);
    umask(mask);
    return mask;
}

static void write_params(struct cli *c, const struct config *apps, char *const *select, const char *exists,
                         bool with_limits, struct buf *params)
{
    struct json_out j = JSON_OUT(params);
    json_open(&j, NULL, '{');
    if (apps->len)
        files_write_apps(apps, &j);
    if (select)
        json_strv(&j, "select", select);
    json_str(&j, "exists", exists);
    json_flag(&j, "wait", args_has(&c->args, "wait"));
    files_write_environ(&j);
    json_int(&j, "umask", read_umask());
    json_int(&j, "nofile", read_nofile());
    if (with_limits) {
        struct os_limits limits;
        os_limits_read(&limits);
        limits_write(&j, "limits", &limits);
    }
    json_close(&j, '}');
}

static int ask(struct cli *c, const struct config *apps, char *const *select, const char *exists,
               json_t *outcomes, struct err *e)
{
    if (apps->len == 0 && !select)
        return 0;
    own_buf params = { 0 }, plain = { 0 };
    own_json result = NULL;
    write_params(c, apps, select, exists, true, &params);
    int r = cli_ask(c, "app.start", params.data, &result, e);
    if (r < 0 && e->code == ERR_PARAMS &&
        strstr(e->text, "`limits`")) { /* the daemon is of an older version */
        write_params(c, apps, select, exists, false, &plain);
        r = cli_ask(c, "app.start", plain.data, &result, e);
    }
    if (r < 0)
        return -1;
    json_array_extend(outcomes, json_object_get(result, "apps"));
    return 0;
}

static int start(struct cli *c, struct plan *p, struct err *e)
{
    int status = read_settings(&c->args, p, e);
    if (status == 0)
        status = read_words(c, p, e);
    if (status != 0)
        return status;
    if (check_plan(c, p, e) < 0)
        return -1;
    for (size_t i = 0; i < p->files.len; i++)
        keys_merge(p->files.apps[i], p->over);

    cli_disconnect(c); /* what is_known() asked may not start a daemon; from here on we may */
    own_json outcomes = json_array();
    if (ask(c, &p->files, NULL, "apply", outcomes, e) < 0 ||
        ask(c, &p->scripts, p->select, "error", outcomes, e) < 0)
        return -1;
    return cli_outcomes(c, outcomes, NULL, e);
}

static int start_run(struct cli *c, struct err *e)
{
    struct plan p = { .cwd = os_cwd() };
    if (!p.cwd)
        return err_sys(e, "current folder");
    int status = start(c, &p, e);
    plan_done(&p);
    return status;
}

const struct cmd cmd_start = {
    .name = "start",
    .usage = "start [<script|app|file.toml>...] [-- args]",
    .about = "Start a script, a program, a known app, or the apps of a file; alone: ./velos.toml.",
    .more = "A word is a known app's name, a file (.toml: its apps), or a program on PATH, in this order.\n"
            "\"npm run dev\" is split into words as a shell does; \"PORT=80 node a.js && echo\", with which "
            "a shell\n"
            "would do more than that, is run by sh -c. A file's apps that are online are left alone; stopped "
            "and\n"
            "errored ones start with the file's settings. It answers once the programs run.",
    .args = { .min = 0, .max = ARGS_ANY, .rest = true, .settings = true },
    .opts = (const struct opt[]){ { 'c', "config", OPT_TEXT, "Start the apps of this file.", "FILE" },
                                  FILES_OPTS,
                                  { 'w', "wait", OPT_FLAG,
                                    "Answer once every app is ready; 5 if it is not in time." },
                                  { 0 } },
    .flags = CMD_NEEDS_DAEMON,
    .words = WORDS_APPS | WORDS_FILES,
    .run = start_run,
};
