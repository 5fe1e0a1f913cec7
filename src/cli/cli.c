/* Finds the command, sorts its words, runs it, tells what went wrong. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/help.h"
#include "cli/progress.h"
#include "cli/settings.h"

extern const struct cmd cmd_start, cmd_stop, cmd_restart, cmd_reload, cmd_delete, cmd_scale, cmd_list,
    cmd_info, cmd_logs, cmd_flush, cmd_reopen, cmd_events, cmd_cron, cmd_watch, cmd_pid, cmd_env, cmd_reset,
    cmd_save, cmd_resurrect, cmd_startup, cmd_unstartup, cmd_update, cmd_signal, cmd_send, cmd_init,
    cmd_check, cmd_ping, cmd_kill, cmd_daemon, cmd_completions, cmd_version, cmd_help;
const struct cmd *const commands[] = {
    &cmd_start,     &cmd_stop,        &cmd_restart, &cmd_reload, &cmd_delete, &cmd_scale,     &cmd_list,
    &cmd_info,      &cmd_logs,        &cmd_flush,   &cmd_reopen, &cmd_save,   &cmd_resurrect, &cmd_startup,
    &cmd_unstartup, &cmd_update,      &cmd_events,  &cmd_cron,   &cmd_watch,  &cmd_pid,       &cmd_env,
    &cmd_reset,     &cmd_signal,      &cmd_send,    &cmd_init,   &cmd_check,  &cmd_ping,      &cmd_kill,
    &cmd_daemon,    &cmd_completions, &cmd_version, &cmd_help,   NULL,
};

const struct opt common_opts[] = {
    { 0, "json", OPT_FLAG, "Data and errors as JSON." },
    { 0, "color", OPT_TEXT, "auto (on a terminal, unless NO_COLOR is set), always or never.", "WHEN" },
    { 'h', "help", OPT_FLAG, "Help on the command." },
    { 0 },
};
static const struct opt bare_opts[] = {
    { 'v', "version", OPT_FLAG, "The version of velos." },
    { 0 },
};

const struct cmd *cmd_find(const char *name)
{
    for (const struct cmd *const *c = commands; *c; c++)
        if (strcmp((*c)->name, name) == 0 || strv_has((char *const *)(*c)->aliases, name))
            return *c;
    return NULL;
}

/* The daemon ------------------------------------------------------------------------------------------ */

static int connect_as(struct cli *c, enum client_start start, struct err *e)
{
    if (c->client)
        return 0;
    struct client_options o = { .home = c->home, .start = start, .settings = settings_json };
    return client_open(&o, &c->client, e);
}

void cli_disconnect(struct cli *c)
{
    c->client = client_free(c->client);
}

bool cli_no_daemon(const struct err *e)
{
    return e->code == ERR_UNREACHABLE && (e->sys == ENOENT || e->sys == ECONNREFUSED);
}

static void on_notice(void *arg, const char *method, const json_t *params)
{
    struct cli *c = arg;
    if (strcmp(method, "progress") == 0 && !c->json)
        progress_set(json_get_int(params, "done", 0), json_get_int(params, "of", 0));
    else if (c->on_notice)
        c->on_notice(c->notice_arg, method, params);
}

static int ask(struct cli *c, enum client_start start, const char *method, const char *params,
               struct buf *result, struct err *e)
{
    if (connect_as(c, start, e) < 0)
        return -1;
    progress_begin(c->cmd->name);
    int r = client_call_text(c->client, method, params, -1, on_notice, c, result, e);
    progress_end();
    return r;
}

int cli_ask_text(struct cli *c, const char *method, const char *params, struct buf *result, struct err *e)
{
    bool may = c->cmd->flags & CMD_NEEDS_DAEMON;
    return ask(c, may ? CLIENT_MAY_START : CLIENT_NEVER_START, method, params, result, e);
}

int cli_ask(struct cli *c, const char *method, const char *params, json_t **result, struct err *e)
{
    own_buf text = { 0 };
    if (cli_ask_text(c, method, params, &text, e) < 0)
        return -1;
    return json_parse(text.data, text.len, result, e);
}

int cli_ask_running(struct cli *c, const char *method, const char *params, json_t **result, struct err *e)
{
    own_buf text = { 0 };
    if (ask(c, CLIENT_NEVER_START, method, params, &text, e) < 0)
        return -1;
    return json_parse(text.data, text.len, result, e);
}

char *cli_select(const struct cli *c, const char *const *sel)
{
    own_buf text = { 0 };
    struct json_out j = JSON_OUT(&text);
    const char *const *words = sel ? sel : c->args.words;
    json_open(&j, NULL, '{');
    if (words[0])
        json_strv(&j, "select", (char *const *)words);
    json_close(&j, '}');
    return buf_steal(&text);
}

/* The command line -------------------------------------------------------------------------------------- */

static int unknown_command(const char *name, struct err *e)
{
    const char *names[64];
    size_t n = 0;
    for (const struct cmd *const *c = commands; *c; c++) {
        names[n++] = (*c)->name;
        for (const char *const *a = (*c)->aliases; a && *a; a++)
            names[n++] = *a;
    }
    names[n] = NULL;
    err_set(e, ERR_USAGE, "unknown command `%s`", name);
    const char *nearest = text_nearest(name, names);
    if (nearest)
        return err_hint(e, "did you mean %s?", nearest);
    if (access(name, F_OK) == 0)
        return err_hint(e, "velos start %s", name);
    return err_hint(e, "velos help lists the commands");
}

static struct args_rule rule_of(const struct cmd *cmd)
{
    struct args_rule rule = cmd->args;
    rule.tables[0] = cmd->opts;
    rule.tables[1] = common_opts;
    return rule;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1];
}

/* Where the command stands: options and their values may come before it. A word behind an option may be its
 * value (-n 3 logs), unless it is a command's name. NULL: there is no word. */
static char **find_command(char **argv)
{
    char **first = NULL;
    for (char **at = argv; *at; at++) {
        bool value = at > argv && is_option(at[-1]);
        if (is_option(*at))
            continue;
        if (cmd_find(*at) || !value)
            return at;
        first = first ? first : at;
    }
    return first;
}

/* The words in front of the command must be options of it, and their values. */
static int check_front(const struct cmd *cmd, char **argv, char **at, struct err *e)
{
    char *name = *at;
    struct args front = { 0 };
    struct args_rule rule = rule_of(cmd);
    *at = NULL;
    int r = args_parse(&rule, argv, &front, e);
    if (r < 0)
        err_in(e, "%s", cmd->name);
    else if (front.n_words)
        r = err_set(e, ERR_USAGE, "%s: `%s` stands in front of the command", cmd->name, front.words[0]);
    args_done(&front);
    *at = name;
    return r < 0 ? err_hint(e, "options stand behind the command: velos %s", cmd->usage) : 0;
}

/* Takes the command's name out of argv, which then holds its options and words. 1; 0: there is none; -1. */
static int take_command(char **argv, const struct cmd **out, struct err *e)
{
    char **at = find_command(argv);
    if (!at)
        return 0;
    const struct cmd *cmd = cmd_find(*at);
    if (!cmd)
        return unknown_command(*at, e);
    if (check_front(cmd, argv, at, e) < 0)
        return -1;
    for (; *at; at++)
        at[0] = at[1];
    *out = cmd;
    return 1;
}

static bool asks_for_json(char **argv)
{
    for (; *argv && strcmp(*argv, "--") != 0; argv++)
        if (strcmp(*argv, "--json") == 0)
            return true;
    return false;
}

static int check_words(const struct cmd *cmd, const struct args *a, struct err *e)
{
    if (a->n_words >= cmd->args.min && a->n_words <= cmd->args.max)
        return 0;
    if (a->n_words < cmd->args.min)
        err_set(e, ERR_USAGE, "something is missing: velos %s", cmd->usage);
    else
        err_set(e, ERR_USAGE, "`%s` is too much: velos %s", a->words[cmd->args.max], cmd->usage);
    return err_hint(e, "velos help %s", cmd->name);
}

static int check_color(const char *when, struct err *e)
{
    if (out_is_color_word(when))
        return 0;
    return err_set(e, ERR_USAGE, "--color: `%s` is not auto, always or never", when);
}

static int run_command(struct cli *c, char **words, struct err *e)
{
    struct args_rule rule = rule_of(c->cmd);
    if (args_parse(&rule, words, &c->args, e) < 0)
        return -1;
    if (args_has(&c->args, "help"))
        return help_command(c->cmd, e);
    c->color = args_text(&c->args, "color", "auto");
    if (check_color(c->color, e) < 0 || check_words(c->cmd, &c->args, e) < 0)
        return -1;
    c->home = client_home();
    return c->cmd->run(c, e);
}

/* velos, velos --help, velos --version */
static int run_bare(struct cli *c, char **words, struct err *e)
{
    struct args_rule rule = { .tables = { bare_opts, common_opts } };
    if (args_parse(&rule, words, &c->args, e) < 0)
        return -1;
    if (args_has(&c->args, "version")) {
        c->cmd = &cmd_version;
        c->home = client_home();
        return c->cmd->run(c, e);
    }
    if (args_has(&c->args, "help"))
        return help_all(STDOUT_FILENO, e);
    return help_all(STDERR_FILENO, e) < 0 ? -1 : err_exit_status(ERR_USAGE);
}

/* What we open must not become the stdout that somebody closed. */
static void fill_standard_fds(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return;
}

int cli_main(char **argv)
{
    fill_standard_fds();
    char **words = argv[0] ? argv + 1 : argv;
    struct cli c = { .json = asks_for_json(words), .color = "auto" };
    struct err e;
    int status = take_command(words, &c.cmd, &e);
    if (status >= 0)
        status = c.cmd ? run_command(&c, words, &e) : run_bare(&c, words, &e);
    if (status < 0) {
        if (c.cmd)
            err_in(&e, "%s", c.cmd->name);
        out_error(&e, c.json);
        status = err_exit_status(e.code);
    }
    cli_disconnect(&c);
    args_done(&c.args);
    free(c.home);
    return status;
}
