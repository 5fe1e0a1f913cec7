/* src/cli/help.h: help, written from the rows of the commands, of their options and of the key table: for the
 * terminal, and as docs/commands.md and man/velos.1 (which a test holds to the rows). */
#pragma once
#include "cli/cli.h"

must_check int help_all(int fd, struct err *e);
must_check int help_command(const struct cmd *cmd, struct err *e); /* 0: on stdout */

char *manual_markdown(void); /* the caller frees */
char *manual_roff(void);

struct help_look { /* on a terminal; in columns */
    size_t column; /* where texts begin */
    size_t width;
};

/* Each option, or each setting that has a flag, as `add` writes a row: "-n, --lines N", "So many ...". `look`
 * is handed to it. */
typedef void help_row(struct buf *out, const char *left, const char *about, const struct help_look *look);
void help_add_opts(struct buf *out, const struct opt *opts, help_row *add, const struct help_look *look);
void help_add_settings(struct buf *out, help_row *add, const struct help_look *look);
