/* src/logs/marks.h: the sparse index beside a log file: when was it that the file was so long?
 *
 * A mark is written before a transfer, when the last one is a second old or 64 KiB behind; more often while
 * the index stays below a sixteenth of its log, so that lines a few ms apart on two streams are shown in
 * order; twice within 0.8 ms never. Nothing depends on it: what is missing or damaged is read in the order of
 * the file. The index is named after the inode of its log, so a rotation takes it along without a rename, and
 * it is created at the first mark. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "logs/place.h"

struct mark {
    int64_t time, offset; /* wall us; what stands from here on came then or later */
};

/* Writing. One cache of open index files serves all logs, so that a quiet one costs no descriptor. */
struct marks {
    int64_t time, offset; /* of the last one */
    int32_t n;            /* -1: the file was not looked at yet */
};
struct marks_cache;
struct marks_cache *marks_cache_new(void);
struct marks_cache *marks_cache_free(struct marks_cache *c);

struct marks_of {
    const char *path; /* of the log */
    ino_t inode;
    struct marks *marks;
    const struct rights *rights; /* NULL: our own; else those that apply to ... */
    const char *name;            /* ... this, which leads to `path` */
};
void marks_note(struct marks_cache *c, struct marks_of of, struct mark now);
void marks_empty(struct marks_cache *c, struct marks_of of);   /* the log was truncated */
void marks_move(const struct place *at, ino_t from, ino_t to); /* the text is in another file now */
/* A new log takes the file of one that was deleted, and of what is in it nothing: in a quick log that is
 * cheaper than a file that is deleted and one that is made (ext4 passes by the inodes of the last five
 * seconds, one by one). */
void marks_reuse(const struct place *at, ino_t from, ino_t to);
void marks_leave(struct marks_cache *c, struct marks *m); /* goes on elsewhere: lets go of the file */

/* Reading: the marks of a log, in the order of offsets and of times, however it came to be. The index is in a
 * directory of the app's user, maybe: not more of it is believed than a log of `size` bytes (-1: unknown) can
 * have, and not more than 16 MiB of it are read. NULL: none; free() */
enum { MARKS_MAX = 1 << 20 };
struct mark *marks_read(const struct place *at, ino_t inode, int64_t size, size_t *n);
/* How many marks stand at or before offset. */
size_t marks_find(const struct mark *marks, size_t n, int64_t offset);
/* The time of what stands at offset; -1: older than the first mark. */
int64_t marks_time(const struct mark *marks, size_t n, int64_t offset);
/* Where to begin reading so as to miss nothing of that time or later. */
int64_t marks_offset(const struct mark *marks, size_t n, int64_t time);
