/* src/logs/tail.h: a log file read from somewhere to its end, and on and on: through its archives, over
 * rotation (rename and re-create), compression, truncation and deletion. Reads blocks, never whole files;
 * what it gives out are whole lines, those longer than a piece (logs/segment.h) in pieces. */
#pragma once
#include <sys/stat.h>

#include "base/text.h"
#include "logs/segment.h"

struct tail;
typedef void tail_line(void *arg, const char *line, size_t n); /* without its newline */

/* Opens nothing yet: the file may come later. The rights (NULL: our own) outlive it. */
struct tail *tail_new(const char *path, const struct rights *rights);
struct tail *tail_free(struct tail *t);
bool tail_reads(const struct tail *t, const struct stat *file); /* just now */
bool tail_was_outrun(const struct tail *t); /* files were deleted before it came to them */
const char *tail_path(const struct tail *t);
/* errno of a file that is there and could not be opened when its turn came; 0: none. Where there was no
 * descriptor or memory for it tail_next stays in front of it and tries again; one that may not be read is
 * left out. Asking clears it. */
int tail_error(struct tail *t);

/* The next read begins `lines` lines before the end; without this at the start. */
void tail_seek(struct tail *t, size_t lines);
/* ... there. */
void tail_start(struct tail *t, struct segment *take_segment, int64_t offset);

/* The next line that is complete by now, or piece of a long one; its text is valid until the next call.
 * False: there is none yet. A line that a rotation has cut is one line in two pieces. */
struct tail_at {
    const char *line;
    size_t n;
    int64_t offset; /* in the file it stands in */
    bool continues; /* the line that was given out last */
    bool goes_on;   /* its end is yet to come */
};
bool tail_next(struct tail *t, struct tail_at *out);
void tail_skip_line(struct tail *t); /* after a piece that goes on: the rest of its line is not given out */
int64_t tail_time(struct tail *t, int64_t offset); /* when the line at offset, which came last, was written */

/* Every line that is complete by now, in the order it was written. */
void tail_read(struct tail *t, tail_line *on_line, void *arg);
/* The last line, whose newline never came. */
void tail_flush(struct tail *t, tail_line *on_line, void *arg);
bool tail_rest(struct tail *t, struct tail_at *out); /* the same, as tail_next gives lines; t may be NULL */
