/* src/conf/dotenv.h: files of environment variables (`env_file`).
 *
 * One NAME=value a line; `export ` in front, blank lines and # comments are fine. '...' is literal,
 * "..." knows \n \r \t \" \\ \$, and both may span lines (a PEM key); anything else is taken up to the end of
 * the line or a blank and #. Values are never expanded: $HOME stays $HOME. CRLF and a BOM are tolerated. */
#pragma once
#include "base/text.h"

/* *out is a strv of "NAME=value", a later line winning over an earlier one; the caller frees it.
 * ERR_CONFIG names file and line; larger than 1 MiB, or with more than 4096 variables, is ERR_LIMIT. A pipe
 * is refused: nobody may ever write to it. */
must_check int dotenv_load(const char *path, char ***out_strv, struct err *e);
must_check int dotenv_parse(const char *text, size_t n, char ***out_strv, struct err *e);
