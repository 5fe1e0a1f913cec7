/* src/cli/settings.h: config.toml on its way to a daemon that is started. */
#pragma once
#include "cli/cli.h"

/* The settings of this home as JSON; "" when none are set. -1: e tells the first mistake of the file and how
 * many there are besides. */
must_check int settings_json(const char *home, char **out, struct err *e);

/* The same; mistakes are told on stderr, and what is right is taken: a machine boots all the same. */
char *settings_json_all_the_same(const char *home);
