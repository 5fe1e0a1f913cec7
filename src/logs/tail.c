#include "logs/tail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "logs/names.h"
#include "logs/target.h"
#include "os/filetime.h"

enum {
    BLOCK = 64 << 10,
    GAP_MOST = 8, /* numbers in a row that may be missing among the archives */
};

struct tail {
    char *path,
        *file; /* its name, and where that leads (logs/target.h), looked up when a file is looked for */
    const struct rights *rights;
    struct segment now; /* none: not there, or not there yet */
    int64_t at;         /* the next byte to read */
    struct buf part;    /* read already, from `given` on not given out yet */
    size_t given, looked;
    bool inside; /* what was given out last goes on ... */
    bool skip;   /* ... and nobody wants to know */
    bool outrun;
    int error; /* errno, or 0 */
};

static void find_file(struct tail *t)
{
    struct place at;
    bool may = place_begin(&at, t->rights, t->path) == 0;
    free(t->file);
    t->file = may ? target_of(at.name) : xstrdup(t->path);
    if (may)
        place_end(&at);
}

struct tail *tail_new(const char *path, const struct rights *rights)
{
    struct tail *t = xnew(struct tail);
    t->path = xstrdup(path);
    t->rights = rights;
    find_file(t);
    t->now = SEGMENT_NONE;
    return t;
}

struct tail *tail_free(struct tail *t)
{
    if (!t)
        return NULL;
    segment_close(&t->now);
    buf_done(&t->part);
    free(t->path);
    free(t->file);
    free(t);
    return NULL;
}

bool tail_reads(const struct tail *t, const struct stat *file)
{
    return segment_is_open(&t->now) && t->now.inode == file->st_ino && t->now.dev == file->st_dev;
}

bool tail_was_outrun(const struct tail *t)
{
    return t->outrun;
}

const char *tail_path(const struct tail *t)
{
    return t->path;
}

int tail_error(struct tail *t)
{
    int error = t->error;
    t->error = 0;
    return error;
}

static void forget_part(struct tail *t)
{
    buf_clear(&t->part);
    t->given = t->looked = 0;
    t->inside = t->skip = false;
}

void tail_start(struct tail *t, struct segment *take_segment, int64_t offset)
{
    segment_close(&t->now);
    t->now = *take_segment;
    *take_segment = SEGMENT_NONE;
    t->at = offset;
    forget_part(t);
}

void tail_seek(struct tail *t, size_t lines)
{
    struct segment s = SEGMENT_NONE;
    if (!segment_open_as(&s, t->rights, t->path, t->file, 0))
        return;
    int64_t start = segment_end(&s);
    if (start < s.size && lines)
        lines--; /* the one that is not complete counts */
    for (int64_t found[64]; lines > 0 && start > 0;) {
        size_t n = segment_back(&s, start, NULL, MIN(lines, ARRAY_LEN(found)), found);
        if (n == 0)
            break;
        start = found[n - 1];
        lines -= n;
    }
    tail_start(t, &s, start);
}

/* Which file comes next. */

static bool find(const struct tail *t, const char *name, struct stat *st)
{
    struct place at;
    if (place_begin(&at, t->rights, t->path) < 0)
        return false;
    bool found = stat(name, st) == 0;
    place_end(&at);
    return found;
}

static bool is_number(const struct tail *t, int number, bool gz)
{
    struct stat st;
    own_text name = number ? names_archive(t->file, number, gz) : xstrdup(t->file);
    return find(t, name, &st) && st.st_ino == t->now.inode && st.st_dev == t->now.dev;
}

/* It was compressed while we read it: the new file is as old as ours was. */
static bool is_number_compressed(const struct tail *t, int number)
{
    struct stat st;
    own_text name = names_archive(t->file, number, true);
    return !t->now.gz && find(t, name, &st) && os_filetime_ns(&st) / 1000 == t->now.modified;
}

static bool exists(const struct tail *t, int number, struct stat *st)
{
    own_text plain = names_archive(t->file, number, false);
    own_text gz = names_archive(t->file, number, true);
    return find(t, plain, st) || find(t, gz, st);
}

/* The number of the file we hold: archives move up, never down. -1: it is gone. */
static int find_ours(struct tail *t)
{
    struct stat st;
    for (int i = MAX(t->now.number, 1), missing = 0; missing < GAP_MOST; i++) {
        if (is_number(t, i, t->now.gz) || is_number_compressed(t, i))
            return i;
        missing = exists(t, i, &st) ? 0 : missing + 1;
    }
    return -1;
}

/* Deleted: the oldest of those that are younger. */
static int find_younger(const struct tail *t)
{
    int found = 0;
    struct stat st;
    for (int i = 1, missing = 0; missing < GAP_MOST; i++) {
        if (!exists(t, i, &st)) {
            missing++;
            continue;
        }
        missing = 0;
        if (os_filetime_ns(&st) / 1000 <= t->now.modified)
            break;
        found = i;
    }
    return found;
}

static void refresh_modified(struct tail *t)
{
    struct stat st;
    if (fstat(t->now.fd, &st) == 0)
        t->now.modified = os_filetime_ns(&st) / 1000;
}

static bool open_segment(struct tail *t, struct segment *s, int number)
{
    bool opened = segment_open_as(s, t->rights, t->path, t->file, number);
    if (!opened && errno != ENOENT)
        t->error = errno;
    return opened;
}

/* The file that was begun after the one we hold; *follows: none was between them. False: there is none yet,
 * ours may still be written to. */
static bool open_next(struct tail *t, struct segment *next, bool *follows)
{
    find_file(t);
    if (t->now.number == 0 && is_number(t, 0, false))
        return false;
    refresh_modified(t);
    int ours = find_ours(t);
    t->outrun |= ours < 0;
    int number = ours > 0 ? ours - 1 : find_younger(t);
    *follows = ours > 0;
    for (; number >= 0; number--, *follows = false) {
        if (open_segment(t, next, number))
            return true;
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) /* later there may be room for it */
            return false;
    }
    return false;
}

/* Reading. */

static void give(struct tail *t, size_t n, bool goes_on, struct tail_at *out)
{
    const char *from = t->part.data + t->given;
    *out = (struct tail_at){ from, n, t->at - (int64_t)(t->part.len - t->given), t->inside, goes_on };
    t->given += n;
    t->looked = 0;
    t->inside = goes_on;
}

/* The rest of a line that is not wanted, as far as it is there. */
static void skip(struct tail *t)
{
    const char *from = t->part.data + t->given;
    const char *newline = memchr(from, '\n', t->part.len - t->given);
    t->given = newline ? (size_t)(newline - t->part.data) + 1 : t->part.len;
    t->looked = 0;
    t->skip = t->inside = !newline;
}

static bool has_line(struct tail *t, struct tail_at *out)
{
    if (t->skip)
        skip(t);
    const char *from = t->part.data + t->given;
    size_t n = t->part.len - t->given;
    const char *newline = n > t->looked ? memchr(from + t->looked, '\n', n - t->looked) : NULL;
    size_t len = newline ? (size_t)(newline - from) : n, piece = segment_piece(from, len);
    t->looked = n;
    if (!newline && piece == len)
        return false;
    give(t, piece, piece < len, out);
    t->given += piece == len; /* its newline */
    return true;
}

void tail_skip_line(struct tail *t)
{
    t->skip = t->inside;
}

static bool read_more(struct tail *t)
{
    buf_drop(&t->part, t->given);
    t->given = 0;
    buf_reserve(&t->part, BLOCK);
    ssize_t n = segment_read(&t->now, t->part.data + t->part.len, BLOCK, t->at);
    if (n <= 0)
        return false;
    t->at += n;
    t->part.len += (size_t)n;
    t->part.data[t->part.len] = '\0';
    return true;
}

static void notice_truncation(struct tail *t)
{
    struct stat st;
    if (t->now.gz || fstat(t->now.fd, &st) < 0 || st.st_size >= t->at)
        return;
    t->at = 0;
    t->now.has_marks = false;
    free(steal(t->now.marks));
    t->now.n_marks = 0;
    forget_part(t);
}

/* What no newline ends in this file; goes_on: it does in the next. */
static bool give_rest(struct tail *t, bool goes_on, struct tail_at *out)
{
    size_t n = t->part.len - t->given;
    if (n == 0 || t->skip || memchr(t->part.data + t->given, '\n', n)) /* or lines that were not asked for */
        return false;
    give(t, n, goes_on, out);
    return true;
}

bool tail_rest(struct tail *t, struct tail_at *out)
{
    return t && give_rest(t, false, out);
}

/* A line without an end goes on in the file that follows. True: its text, which stays where it is until the
 * next call. */
static bool go_to(struct tail *t, struct segment *take_next, bool follows, struct tail_at *out)
{
    bool rest = give_rest(t, follows, out);
    segment_close(&t->now);
    t->now = *take_next;
    *take_next = SEGMENT_NONE;
    t->at = 0;
    if (!follows)
        t->inside = t->skip = false;
    return rest;
}

bool tail_next(struct tail *t, struct tail_at *out)
{
    if (!segment_is_open(&t->now)) {
        t->at = 0;
        find_file(t);
        if (!open_segment(t, &t->now, 0))
            return false;
    }
    if (t->part.len > t->given && has_line(t, out))
        return true;
    notice_truncation(t);
    for (;;) {
        while (read_more(t))
            if (has_line(t, out))
                return true;
        struct segment next = SEGMENT_NONE;
        bool follows;
        if (!open_next(t, &next, &follows))
            return false;
        if (read_more(t)) { /* written between our last look and the rename */
            segment_close(&next);
            if (has_line(t, out))
                return true;
            continue;
        }
        if (go_to(t, &next, follows, out))
            return true;
    }
}

int64_t tail_time(struct tail *t, int64_t offset)
{
    return segment_time(&t->now, t->file, offset);
}

void tail_read(struct tail *t, tail_line *on_line, void *arg)
{
    struct tail_at at;
    while (tail_next(t, &at))
        on_line(arg, at.line, at.n);
}

void tail_flush(struct tail *t, tail_line *on_line, void *arg)
{
    struct tail_at at;
    if (tail_rest(t, &at))
        on_line(arg, at.line, at.n);
}
