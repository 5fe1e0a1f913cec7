/* src/cli/cli.h: a command is a row (struct cmd); the rows are parsed, run, listed by `velos help` and
 * written to docs/commands.md by code that knows none of them. One file a command, in cmd/. */
#pragma once
#include "cli/args.h"
#include "cli/out.h"
#include "proto/client.h"

struct cli;

struct cmd {
    const char *name;
    const char *const *aliases; /* NULL-terminated, or NULL */
    const char *usage;          /* "stop <app>..." */
    const char *about;          /* one line */
    const char *more;           /* paragraphs of help, or NULL */
    struct args_rule args;
    const struct opt *opts;
    unsigned flags;
    unsigned words;                           /* what they are, for completions: WORDS_... */
    int (*run)(struct cli *c, struct err *e); /* the exit status; or -1, and e is shown */
};
enum {
    CMD_NEEDS_DAEMON = 1, /* which is started when there is none */
    CMD_ASKS_DAEMON = 2,  /* ... and says so when there is none */
};
enum {
    WORDS_APPS = 1,
    WORDS_FILES = 2,
    WORDS_COMMANDS = 4,
    WORDS_SIGNALS = 8, /* the first one is */
    WORDS_SHELLS = 16,
};
#define ALIASES(...)                                                                                         \
    (const char *const[])                                                                                    \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }

extern const struct cmd *const commands[]; /* in the order of help; NULL-terminated */
extern const struct opt common_opts[];
const struct cmd *cmd_find(const char *name); /* by name or alias; NULL */

/* What a command is given. */
struct cli {
    const struct cmd *cmd;
    struct args args;
    char *home;
    bool json;
    const char *color; /* --color: auto, always, never */
    struct client *client;
    client_notice *on_notice; /* what comes beside an answer and is not progress; or NULL */
    void *notice_arg;
};

int cli_main(char **argv);

/* Asks the daemon, connecting first as the command's flags say. params: a JSON object's text, or NULL. */
must_check int cli_ask(struct cli *c, const char *method, const char *params, json_t **result, struct err *e);
/* The same for a daemon that is there: it is never started. */
must_check int cli_ask_running(struct cli *c, const char *method, const char *params, json_t **result,
                               struct err *e);
/* The result as the text that came, for what can be large; connects as cli_ask does. */
must_check int cli_ask_text(struct cli *c, const char *method, const char *params, struct buf *result,
                            struct err *e);
bool cli_no_daemon(const struct err *e); /* it failed because none is running */
void cli_disconnect(struct cli *c);

/* {"select":["api","web"]}; the words of the command line when sel is NULL. None: {}. */
char *cli_select(const struct cli *c, const char *const *sel);

/* Prints the outcomes of a request on apps (docs/protocol.md); the exit status, or -1. For each app that did
 * well `said` tells what was done ("counters reset"); NULL: its state. */
must_check int cli_outcomes(struct cli *c, const json_t *apps, const char *said, struct err *e);
/* The errors among them, on stderr; the exit status: that of the first. */
int cli_outcome_errors(struct cli *c, const json_t *apps, struct err *e);
/* Of several apps one is not there: says that the others were left alone, too. Returns -1. */
int cli_not_done(const struct cli *c, struct err *e);
/* Asks for them first: all there is to do for most commands on apps. */
must_check int cli_act(struct cli *c, const char *method, const char *params, const char *said,
                       struct err *e);
/* Prints what is wrong in a file; the exit status. */
void cli_add_problem(struct buf *out,
                     const struct conf_problem *p); /* "file:line:col: text", to an empty one */
int cli_problems(struct cli *c, const struct conf_problems *problems);
