/* src/conf/settings_file.h: config.toml. CLI only, as all TOML. */
#pragma once
#include "conf/settings.h"

/* 0: *out is filled; a file that is not there is an empty one. -1: at least one problem was added, with line
 * and column; *out then has what was right. Always the caller's to free. */
must_check int settings_load(const char *path, struct settings **out, struct conf_problems *problems);

/* A [daemon] table and no [apps]: a file of this kind, whatever its name. */
bool settings_file_is_one(const char *path);
