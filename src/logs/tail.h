/* src/logs/tail.h: a log file read from near its end, and on and on: over rotation (rename and re-create),
 * truncation and deletion. Reads blocks, never whole files; what it gives out are whole lines. */
#pragma once
#include "base/text.h"

struct tail;
typedef void tail_line(void *arg, const char *line, size_t n); /* without its newline */

struct tail *tail_new(const char *path); /* opens nothing yet: the file may come later */
struct tail *tail_free(struct tail *t);

/* The next read begins `lines` lines before the end; without this at the start. */
void tail_seek(struct tail *t, size_t lines);
/* Every line that is complete by now, in the order it was written. Rotated files (path.1, path.2 ...)
 * that came in between are read in turn. */
void tail_read(struct tail *t, tail_line *on_line, void *arg);
/* The last line, whose newline never came. */
void tail_flush(struct tail *t, tail_line *on_line, void *arg);
