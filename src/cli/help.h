/* src/cli/help.h: help, written from the rows: of the commands, their options, the key table. */
#pragma once
#include "cli/cli.h"

must_check int help_all(int fd, struct err *e);
must_check int help_command(const struct cmd *cmd, struct err *e); /* 0: on stdout */
char *help_markdown(void);                                         /* docs/commands.md; the caller frees */
