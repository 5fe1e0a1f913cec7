/* src/watch/glob.h: patterns as in .gitignore, and which of them decides about a path. Pure.
 *
 * The last pattern that fits decides; `!` in front turns it round. One with a slash at its beginning or in
 * its middle is about the whole path, another about the last name of it. A slash at the end: directories
 * alone.
 * `*` and `?` do not fit a slash, `**` as a whole name fits any number of names. */
#pragma once
#include <stdbool.h>

#include "base/text.h"

struct glob;  /* a pattern */
struct globs; /* a list of them */

struct globs *globs_new(void);
struct globs *globs_free(struct globs *g);
void globs_add(struct globs *g, const char *pattern);
const char *glob_text(const struct glob *p); /* as it was added */
bool glob_is_exception(const struct glob *p);

/* The one that decides about this very path; NULL: none does. Paths are relative, "src/a.js". */
const struct glob *globs_find(const struct globs *g, const char *path, bool is_folder);

/* Is it ignored, itself or for a folder it lies in? What is in an ignored folder cannot be got back. */
bool globs_ignore(const struct globs *g, const char *path, bool is_folder, const struct glob **by);
