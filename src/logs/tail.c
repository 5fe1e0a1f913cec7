#include "logs/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK = 64 << 10,
    LINE_MOST = 1 << 20, /* a longer line is given out in pieces */
    ROTATED_MOST = 64,   /* how far back a file is looked for that was rotated while we read it */
};

struct tail {
    char *path;
    int fd;          /* -1: not there, or not there yet */
    off_t at;        /* the next byte to read */
    struct buf part; /* read already: the line that is not complete */
};

struct tail *tail_new(const char *path)
{
    struct tail *t = xnew(struct tail);
    t->path = xstrdup(path);
    t->fd = -1;
    return t;
}

struct tail *tail_free(struct tail *t)
{
    if (!t)
        return NULL;
    fd_done(&t->fd);
    buf_done(&t->part);
    free(t->path);
    free(t);
    return NULL;
}

/* Regular files alone: an app may log to /dev/null or into a pipe. */
static int open_log(const char *path)
{
    own_fd fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -1;
    return steal_fd(fd);
}

static void go_on_with(struct tail *t, int take_fd)
{
    fd_done(&t->fd);
    t->fd = take_fd;
    t->at = 0;
}

static ssize_t read_at(int fd, char *out, size_t n, off_t at)
{
    ssize_t r;
    while ((r = pread(fd, out, n, at)) < 0 && errno == EINTR)
        ;
    return r;
}

/* Where the line begins that has `newlines` newlines behind its predecessor: the search goes backwards, a
 * block at a time. */
static off_t find_back(int fd, off_t end, size_t newlines)
{
    own_text block = xmalloc(BLOCK);
    for (off_t from; end > 0; end = from) {
        from = end > BLOCK ? end - BLOCK : 0;
        ssize_t n = read_at(fd, block, (size_t)(end - from), from);
        if (n <= 0)
            return end;
        const char *p = block + n;
        while (p > block)
            if (*--p == '\n' && --newlines == 0)
                return from + (p - block) + 1;
    }
    return 0;
}

void tail_seek(struct tail *t, size_t lines)
{
    go_on_with(t, open_log(t->path));
    struct stat st;
    if (t->fd < 0 || fstat(t->fd, &st) < 0 || st.st_size == 0)
        return;
    char last = 0;
    bool complete = read_at(t->fd, &last, 1, st.st_size - 1) == 1 && last == '\n';
    t->at = find_back(t->fd, st.st_size, MAX(complete ? lines + 1 : lines, (size_t)1));
}

static void give_lines(struct tail *t, tail_line *on_line, void *arg)
{
    const char *at = t->part.data, *end = at + t->part.len, *newline;
    while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
        on_line(arg, at, (size_t)(newline - at));
        at = newline + 1;
    }
    if (end - at > LINE_MOST) {
        on_line(arg, at, (size_t)(end - at));
        at = end;
    }
    buf_drop(&t->part, (size_t)(at - t->part.data));
}

static void drain(struct tail *t, tail_line *on_line, void *arg)
{
    for (;;) {
        buf_reserve(&t->part, BLOCK);
        ssize_t n = read_at(t->fd, t->part.data + t->part.len, BLOCK, t->at);
        if (n <= 0)
            return;
        t->at += n;
        t->part.len += (size_t)n;
        t->part.data[t->part.len] = '\0';
        give_lines(t, on_line, arg);
    }
}

static bool is_same(const struct stat *a, const char *path)
{
    struct stat b;
    return stat(path, &b) == 0 && a->st_ino == b.st_ino && a->st_dev == b.st_dev;
}

/* The file that was begun after the one we hold: where ours is path.3 by now, that is path.2. */
static int open_next(const struct tail *t, const struct stat *ours)
{
    for (int i = 2; i <= ROTATED_MOST; i++) {
        own_text older = xasprintf("%s.%d", t->path, i);
        if (access(older, F_OK) < 0)
            break;
        if (!is_same(ours, older))
            continue;
        own_text next = xasprintf("%s.%d", t->path, i - 1);
        return open_log(next);
    }
    return open_log(t->path);
}

/* Is there a file to go on with? */
static bool replaced(struct tail *t, tail_line *on_line, void *arg)
{
    struct stat ours;
    if (fstat(t->fd, &ours) < 0 || is_same(&ours, t->path))
        return false;
    int next = open_next(t, &ours);
    if (next < 0)
        return false; /* renamed or deleted, and nothing there yet: ours may still be written to */
    drain(t, on_line, arg);
    tail_flush(t, on_line, arg);
    go_on_with(t, next);
    return true;
}

static void notice_truncation(struct tail *t)
{
    struct stat st;
    if (fstat(t->fd, &st) < 0 || st.st_size >= t->at)
        return;
    t->at = 0;
    buf_clear(&t->part);
}

void tail_read(struct tail *t, tail_line *on_line, void *arg)
{
    if (t->fd < 0)
        go_on_with(t, open_log(t->path));
    if (t->fd < 0)
        return;
    do {
        notice_truncation(t);
        drain(t, on_line, arg);
    } while (replaced(t, on_line, arg));
}

void tail_flush(struct tail *t, tail_line *on_line, void *arg)
{
    if (t->part.len)
        on_line(arg, t->part.data, t->part.len);
    buf_clear(&t->part);
}
