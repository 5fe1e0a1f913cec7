#include "logs/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logs/names.h"

enum {
    SECOND_US = 1000000,
    FINE_US = 800, /* a rest of the pump (logs/works.c): nothing is told apart that is closer */
    APART_BYTES = 64 << 10,
    SHARE = 16,        /* of the log's bytes that finer marks may take */
    FREE_BYTES = 4096, /* ... and as much without asking */
    OPEN_MOST = 16,
};
_Static_assert(sizeof(struct mark) == 16, "a mark on disk");

/* The first 16 bytes: which inode it is about, so that one left over from another file is not believed. */
static const char magic[8] = { 'v', 'e', 'l', 'o', 's', 'i', 'd', 'x' };

struct slot {
    struct marks *of;
    int fd;
};
struct marks_cache {
    struct slot slots[OPEN_MOST];
    unsigned next; /* whose turn it is to be closed */
};

struct marks_cache *marks_cache_new(void)
{
    return xnew(struct marks_cache);
}

struct marks_cache *marks_cache_free(struct marks_cache *c)
{
    for (size_t i = 0; c && i < OPEN_MOST; i++)
        if (c->slots[i].of)
            close(c->slots[i].fd);
    free(c);
    return NULL;
}

static struct slot *find(struct marks_cache *c, const struct marks *m)
{
    for (size_t i = 0; i < OPEN_MOST; i++)
        if (c->slots[i].of == m)
            return &c->slots[i];
    return NULL;
}

void marks_leave(struct marks_cache *c, struct marks *m)
{
    struct slot *s = find(c, m);
    if (s) {
        close(s->fd);
        s->of = NULL;
    }
    *m = (struct marks){ .n = -1 };
}

static bool has_head(int fd, ino_t inode)
{
    char head[16];
    uint64_t ino = inode;
    return pread(fd, head, sizeof(head), 0) == sizeof(head) && memcmp(head, magic, 8) == 0 &&
           memcmp(head + 8, &ino, 8) == 0;
}

/* Never to nothing: ext4 would write the file to the disk when it is closed (auto_da_alloc), and a quick
 * log's index is another's within a second. */
static bool write_head(int fd, int64_t size, ino_t inode)
{
    char head[16];
    uint64_t ino = inode;
    memcpy(head, magic, 8);
    memcpy(head + 8, &ino, 8);
    return (size <= (int64_t)sizeof(head) || ftruncate(fd, sizeof(head)) == 0) &&
           pwrite(fd, head, sizeof(head), 0) == sizeof(head);
}

/* What another daemon left is gone on with, unless the log is shorter by now. */
static bool look(int fd, struct marks_of of, int64_t offset)
{
    struct stat st;
    struct mark last;
    struct marks *m = of.marks;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    int64_t n = st.st_size / 16 - 1;
    m->n = n > 0 && n <= MIN(offset + 1, (int64_t)INT32_MAX - 1) ? (int32_t)n : 0; /* one an offset */
    m->time = m->offset = 0;
    if (m->n == 0 || !has_head(fd, of.inode) || pread(fd, &last, 16, (off_t)m->n * 16) != 16 ||
        last.offset > offset || last.offset < 0 || last.time < 0) {
        m->n = 0;
        return write_head(fd, st.st_size, of.inode);
    }
    m->time = last.time;
    m->offset = last.offset;
    return true;
}

static int open_index(struct marks_of of)
{
    struct place at;
    if (place_enter(&at, of.rights, of.name, of.path) < 0)
        return -1;
    own_text name = names_index(at.name, of.inode);
    /* Not blocking: for a lease that its owner has taken (fcntl(2)) open would wait. */
    int fd = openat(at.dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0640);
    place_end(&at);
    return fd;
}

static struct slot *take_slot(struct marks_cache *c, struct marks_of of, int64_t offset)
{
    struct slot *s = find(c, of.marks);
    if (s)
        return s;
    int fd = open_index(of);
    if (fd < 0)
        return NULL;
    if (of.marks->n < 0 && !look(fd, of, offset)) {
        close(fd);
        return NULL;
    }
    s = &c->slots[c->next++ % OPEN_MOST];
    if (s->of)
        close(s->fd);
    *s = (struct slot){ of.marks, fd };
    return s;
}

static bool is_due(const struct marks *m, struct mark now)
{
    if (m->n <= 0)
        return true;
    if (now.offset == m->offset)
        return now.time != m->time; /* nothing came since: it is put right */
    if (now.time >= m->time && now.time - m->time < FINE_US)
        return false;
    return now.time - m->time >= SECOND_US || now.time < m->time || now.offset - m->offset >= APART_BYTES ||
           (int64_t)(m->n + 1) * 16 <= now.offset / SHARE + FREE_BYTES;
}

void marks_note(struct marks_cache *c, struct marks_of of, struct mark now)
{
    if (of.marks->n >= 0 && !is_due(of.marks, now))
        return;
    struct slot *s = take_slot(c, of, now.offset);
    if (!s || !is_due(of.marks, now))
        return;
    bool another = of.marks->n == 0 || now.offset != of.marks->offset;
    if (pwrite(s->fd, &now, 16, (off_t)(of.marks->n + another) * 16) != 16)
        return; /* a full disk: the next one is tried again */
    of.marks->time = now.time;
    of.marks->offset = now.offset;
    of.marks->n += another;
}

void marks_empty(struct marks_cache *c, struct marks_of of)
{
    struct place at;
    marks_leave(c, of.marks);
    if (place_enter(&at, of.rights, of.name, of.path) < 0)
        return;
    own_text name = names_index(at.name, of.inode);
    unlinkat(at.dir, name, 0);
    place_end(&at);
}

void marks_reuse(const struct place *at, ino_t from, ino_t to)
{
    own_text old = names_index(at->name, from);
    own_text new = names_index(at->name, to);
    if (renameat(at->dir, old, at->dir, new) < 0) {
        /* it had none; or it is nobody's now, and the folder is put in order some day (logs/rotate.c) */
    }
}

void marks_move(const struct place *at, ino_t from, ino_t to)
{
    own_text old = names_index(at->name, from);
    own_text new = names_index(at->name, to);
    own_fd fd = openat(at->dir, old, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    uint64_t inode = to;
    if (fd >= 0 && pwrite(fd, &inode, sizeof(inode), sizeof(magic)) == sizeof(inode))
        renameat(at->dir, old, at->dir, new);
}

/* Reading. */

static bool read_all(int fd, char *out, size_t n, int64_t from)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = pread(fd, out + done, n - done, (off_t)(from + (int64_t)done));
        if (r <= 0 && !(r < 0 && errno == EINTR))
            return false;
        done += r > 0 ? (size_t)r : 0;
    }
    return true;
}

/* The clock may have been set back, and marks of a file that was truncated may be left: neither goes back.
 * The later clock is believed, else all that comes until it has caught up would be of one time, in the
 * future. */
static size_t straighten(struct mark *m, size_t n, int64_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (m[i].offset < 0 || m[i].offset > size || (used && m[i].offset < m[used - 1].offset))
            continue;
        m[used++] = m[i];
    }
    for (size_t i = used; i-- > 1;)
        m[i - 1].time = MIN(m[i - 1].time, m[i].time);
    return used;
}

/* Every so many of too many; the last one is among them. */
static size_t read_some(int fd, struct mark *out, int64_t n)
{
    enum { SOME = 1 << 16 };
    int64_t step = n / SOME + 1;
    size_t got = 0;
    for (int64_t i = n - 1 - (n - 1) / step * step; i < n; i += step)
        if (!read_all(fd, (char *)&out[got++], 16, 16 * (i + 1)))
            return 0;
    return got;
}

struct mark *marks_read(const struct place *at, ino_t inode, int64_t size, size_t *n)
{
    own_text name = names_index(at->name, inode);
    own_fd fd = openat(at->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    *n = 0;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 32 || !has_head(fd, inode))
        return NULL;
    int64_t has = st.st_size / 16 - 1;
    if (size >= 0)
        has = MIN(has, size + 1); /* one an offset */
    struct mark *all = xmalloc((size_t)MIN(has, (int64_t)MARKS_MAX) * 16);
    size_t got = has > MARKS_MAX                                   ? read_some(fd, all, has)
                 : read_all(fd, (char *)all, (size_t)has * 16, 16) ? (size_t)has
                                                                   : 0;
    if (got == 0) {
        free(all);
        return NULL;
    }
    *n = straighten(all, got, size < 0 ? INT64_MAX : size);
    return all;
}

size_t marks_find(const struct mark *marks, size_t n, int64_t offset)
{
    size_t low = 0, high = n; /* the first mark behind offset lies in [low, high] */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (marks[mid].offset <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int64_t marks_time(const struct mark *marks, size_t n, int64_t offset)
{
    size_t i = marks_find(marks, n, offset);
    return i ? marks[i - 1].time : -1;
}

int64_t marks_offset(const struct mark *marks, size_t n, int64_t time)
{
    size_t low = 0, high = n; /* the first mark of that time or later */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (marks[mid].time < time)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? marks[low - 1].offset : 0;
}
