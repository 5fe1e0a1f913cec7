#include "logs/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logs/gzip.h"
#include "logs/names.h"
#include "logs/target.h"
#include "os/filetime.h"

enum {
    BLOCK = 16 << 10,
    REST_US = 1000, /* what the pump lets lines gather */
};

static bool open_one(struct segment *s, const struct place *at, int number, bool gz)
{
    struct stat st;
    own_text name = number ? names_archive(at->name, number, gz) : xstrdup(at->name);
    own_fd fd = openat(at->dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | at->open_flags);
    if (fd < 0 || fstat(fd, &st) < 0)
        return false;
    if (!S_ISREG(st.st_mode)) {
        errno = ENOENT;
        return false;
    }
    *s = (struct segment){
        .fd = steal_fd(fd),
        .number = number,
        .gz = gz,
        .dev = st.st_dev,
        .inode = st.st_ino,
        .size = gz ? -1 : st.st_size,
        .modified = os_filetime_ns(&st) / 1000,
    };
    return true;
}

/* Uncompressed first: while an archive is being replaced both are there. */
bool segment_open_as(struct segment *s, const struct rights *rights, const char *name, const char *path,
                     int number)
{
    struct place at;
    if (target_is_borrowed(path)) {
        errno = ENOENT;
        return false;
    }
    if (place_enter(&at, rights, name, path) < 0)
        return false;
    bool opened =
        open_one(s, &at, number, false) || (number && errno == ENOENT && open_one(s, &at, number, true));
    place_end(&at);
    if (opened && rights) {
        s->rights = rights;
        s->name = xstrdup(name);
    }
    return opened;
}

bool segment_open(struct segment *s, const char *path, int number)
{
    return segment_open_as(s, NULL, path, path, number);
}

void segment_close(struct segment *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->inflater = inflater_free(s->inflater);
    free(s->marks);
    free(s->name);
    *s = SEGMENT_NONE;
}

bool segment_is_open(const struct segment *s)
{
    return s->fd >= 0;
}

ssize_t segment_read(struct segment *s, char *out, size_t n, int64_t offset)
{
    ssize_t r;
    if (s->gz) {
        if (!s->inflater)
            s->inflater = inflater_new(s->fd);
        return inflater_read(s->inflater, out, n, offset);
    }
    while ((r = pread(s->fd, out, n, (off_t)offset)) < 0 && errno == EINTR)
        ;
    return r;
}

/* Times. */

static void need_marks(struct segment *s, const char *path)
{
    if (s->has_marks)
        return;
    struct place at;
    s->has_marks = true;
    if (place_enter(&at, s->rights, s->name, path) < 0)
        return;
    s->marks = marks_read(&at, s->inode, s->gz ? -1 : s->size, &s->n_marks);
    place_end(&at);
}

int64_t segment_time(struct segment *s, const char *path, int64_t offset)
{
    need_marks(s, path);
    size_t i = marks_find(s->marks, s->n_marks, offset);
    if (i == 0)
        return s->n_marks ? s->marks[0].time - REST_US : s->modified;
    const struct mark *m = &s->marks[i - 1];
    int64_t end = i < s->n_marks ? s->marks[i].offset : MAX(s->size, offset + 1);
    int64_t spread = i > 1 ? MIN(m->time - m[-1].time, (int64_t)REST_US) : REST_US;
    int64_t len = MAX(end - m->offset, (int64_t)1);
    return m->time - spread + spread * MIN(offset - m->offset, len) / len;
}

int64_t segment_offset(struct segment *s, const char *path, int64_t time)
{
    need_marks(s, path);
    return marks_offset(s->marks, s->n_marks, time);
}

/* Marks stand between transfers, not between lines. */
static int64_t next_line(struct segment *s, int64_t offset)
{
    char block[4096];
    ssize_t n;
    if (offset == 0)
        return 0;
    for (offset--; (n = segment_read(s, block, sizeof(block), offset)) > 0; offset += n) {
        const char *newline = memchr(block, '\n', (size_t)n);
        if (newline)
            return offset + (newline - block) + 1;
    }
    return -1;
}

int64_t segment_before(struct segment *s, const char *path, int64_t time)
{
    need_marks(s, path);
    size_t low = 0, high = s->n_marks; /* the first mark whose lines are all younger */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->marks[mid].time - REST_US <= time)
            low = mid + 1;
        else
            high = mid;
    }
    return low < s->n_marks ? next_line(s, s->marks[low].offset) : -1;
}

/* Going back. */

size_t segment_piece(const char *line, size_t n)
{
    enum { MOST_BEHIND_FIRST = 3 }; /* bytes of a character */
    size_t cut = SEGMENT_PIECE;
    if (n <= cut)
        return n;
    while (cut > SEGMENT_PIECE - MOST_BEHIND_FIRST && ((unsigned char)line[cut] & 0xc0) == 0x80)
        cut--;
    return ((unsigned char)line[cut] & 0xc0) == 0x80 ? SEGMENT_PIECE : cut;
}

struct window { /* of a file that is read from its end */
    struct segment *s;
    char *data;
    int64_t from; /* offset of data[0] */
    size_t len;
};

/* More in front: as much again, so that a long line is not looked at too often. Of a line that is longer than
 * a piece its first one is kept, which may begin anywhere in what was read last. */
static bool widen(struct window *w)
{
    size_t more = (size_t)MIN(w->from, (int64_t)MIN(MAX((size_t)BLOCK, w->len), (size_t)SEGMENT_PIECE));
    w->len = MIN(w->len, (size_t)SEGMENT_PIECE + 1);
    char *wider = xmalloc(w->len + more + 1);
    int64_t from = w->from - (int64_t)more;
    if (segment_read(w->s, wider, more, from) != (ssize_t)more) {
        free(wider);
        return false;
    }
    if (w->len)
        memcpy(wider + more, w->data, w->len);
    free(w->data);
    w->data = wider;
    w->from = from;
    w->len += more;
    return true;
}

static int64_t line_start(struct window *w, int64_t end)
{
    size_t looked = 0;
    for (;;) {
        size_t n = (size_t)(end - 1 - w->from) - looked; /* without its own newline, and what was looked at */
        const char *newline = w->len && end - 1 > w->from ? text_last(w->data, n, '\n') : NULL;
        if (newline)
            return w->from + (newline - w->data) + 1;
        looked += n;
        if (w->from == 0)
            return 0;
        if (!widen(w))
            return -1;
    }
}

static bool is_wanted(const struct segment_filter *f, const char *line, size_t n)
{
    return !f || !f->wants || f->wants(f->arg, line, segment_piece(line, n));
}

static size_t back_plain(struct segment *s, int64_t before, const struct segment_filter *f, size_t most,
                         int64_t *out)
{
    struct window w = { .s = s, .from = before };
    int64_t end = before;
    size_t n = 0;
    while (n < most && end > 0) {
        if (w.len == 0 && !widen(&w))
            break;
        int64_t start = line_start(&w, end);
        if (start < 0)
            break;
        const char *line = w.data + (start - w.from);
        size_t len = MIN((size_t)(end - start), w.len - (size_t)(start - w.from));
        if (is_wanted(f, line, line[len - 1] == '\n' ? len - 1 : len))
            out[n++] = start;
        end = start;
        w.len = (size_t)(end - w.from);
    }
    free(w.data);
    return n;
}

/* A compressed one is read from its start; the last `most` are remembered. */
struct ring {
    int64_t *all;
    size_t n, most;
};

static void remember(struct ring *r, int64_t start)
{
    r->all[r->n++ % r->most] = start;
}

/* The lines that end in b, and at the end of the file the last one. Of one that is longer than a piece the
 * first is looked at when it is there; *inside: the rest of such a one is passed over. */
static size_t look_at_lines(const struct buf *b, int64_t at, bool last, const struct segment_filter *f,
                            bool *inside, struct ring *r)
{
    const char *line = b->data, *newline;
    size_t left = b->len;
    while (left && ((newline = memchr(line, '\n', left)) || last || *inside || left > SEGMENT_PIECE)) {
        size_t len = newline ? (size_t)(newline - line) : left, step = newline ? len + 1 : len;
        if (!*inside && is_wanted(f, line, len))
            remember(r, at + (line - b->data));
        *inside = !newline;
        line += step;
        left -= step;
    }
    return b->len - left;
}

static size_t back_gz(struct segment *s, int64_t before, const struct segment_filter *f, size_t most,
                      int64_t *out)
{
    struct ring r = { out, 0, most };
    own_buf b = { 0 };
    int64_t at = 0, end = before < 0 ? INT64_MAX : before;
    bool inside = false;
    ssize_t n = 1;
    while (n > 0) {
        buf_reserve(&b, BLOCK);
        n = segment_read(s, b.data + b.len, (size_t)MIN((int64_t)BLOCK, end - at - (int64_t)b.len),
                         at + (int64_t)b.len);
        b.len += n > 0 ? (size_t)n : 0;
        size_t done = look_at_lines(&b, at, n <= 0, f, &inside, &r);
        at += (int64_t)done;
        buf_drop(&b, done);
    }
    size_t found = MIN(r.n, most);
    int64_t *sorted = xcalloc(found + 1, sizeof(*sorted));
    for (size_t i = 0; i < found; i++)
        sorted[i] = out[(r.n - 1 - i) % most];
    memcpy(out, sorted, found * sizeof(*sorted));
    free(sorted);
    return found;
}

size_t segment_back(struct segment *s, int64_t before, const struct segment_filter *f, size_t most,
                    int64_t *out)
{
    if (most == 0)
        return 0;
    return s->gz ? back_gz(s, before, f, most, out)
                 : back_plain(s, before < 0 ? s->size : before, f, most, out);
}

int64_t segment_end(struct segment *s)
{
    char last = '\n';
    int64_t start = s->size;
    if (s->size > 0 && segment_read(s, &last, 1, s->size - 1) == 1 && last != '\n')
        segment_back(s, -1, NULL, 1, &start);
    return start;
}
