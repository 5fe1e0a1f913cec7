/* src/logs/segment.h: one file of a log to read: the log itself (number 0) or one of its archives, compressed
 * or not. Offsets are of the text. When a line was written is looked up in the index beside the file. */
#pragma once
#include <sys/types.h>

#include "base/text.h"
#include "logs/marks.h"
#include "logs/place.h"

struct inflater;
struct segment {
    int fd; /* -1: none */
    int number;
    bool gz;
    dev_t dev;
    ino_t inode;
    int64_t size;     /* when it was opened; of a compressed one: not known, -1 */
    int64_t modified; /* wall us */
    struct inflater *inflater;
    struct mark *marks;
    size_t n_marks;
    bool has_marks;              /* they were looked for */
    const struct rights *rights; /* NULL: our own; whose owner outlives this */
    char *name;                  /* ... of the log, which they apply to */
};
#define SEGMENT_NONE ((struct segment){ .fd = -1 })

/* Regular files alone: an app may log to /dev/null or into a pipe, and what is behind the name of a
 * descriptor is not the log (logs/target.h). False and errno; ENOENT: there is none. */
bool segment_open(struct segment *s, const char *path, int number);
/* ... by a log's name, which leads to `path`, with these rights. */
bool segment_open_as(struct segment *s, const struct rights *rights, const char *name, const char *path,
                     int number);
void segment_close(struct segment *s);
bool segment_is_open(const struct segment *s);

/* Bytes at offset, as pread(2); a compressed one is read in order, and from its start when that goes back. */
ssize_t segment_read(struct segment *s, char *out, size_t n, int64_t offset);

/* Wall us; lines that came together are spread over the rest before they were taken, so that those of two
 * streams meet. Without an index: when the file was last written. */
int64_t segment_time(struct segment *s, const char *path, int64_t offset);
/* From here on is all that came at `time` or later, and maybe a little before. */
int64_t segment_offset(struct segment *s, const char *path, int64_t time);

/* The start of a line before which is all that came at `time` or before, and maybe a little more; -1: the
 * end. */
int64_t segment_before(struct segment *s, const char *path, int64_t time);

/* The end; of one that ends in the middle of a line, the start of that line. Not of a compressed one. */
int64_t segment_end(struct segment *s);

/* How much of a line is looked at, and given out, at once: all of it, or a MiB, not cut within a UTF-8
 * character. So much is the memory a line takes, however long it is. `n` bytes of it are there. */
enum { SEGMENT_PIECE = 1 << 20 };
size_t segment_piece(const char *line, size_t n);

/* Asked about the first piece of a line. */
typedef bool segment_wants(void *arg, const char *line, size_t n);
struct segment_filter {
    segment_wants *wants; /* NULL: all */
    void *arg;
};
/* Where the last `most` wanted lines begin that end at or before `before` (-1: the end), the last one first.
 * The one that is being written counts. */
size_t segment_back(struct segment *s, int64_t before, const struct segment_filter *f, size_t most,
                    int64_t *out);
