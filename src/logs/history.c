#include "logs/history.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "logs/names.h"
#include "logs/target.h"
#include "os/filetime.h"

enum {
    AT_ONCE = 64,      /* lines looked for in one go, of a file that can be read from its end ... */
    GZ_AT_ONCE = 4096, /* ... and of one that has to be read from its start */
    GZ_MOST = 1 << 20,
    LATE_US = 10 * 1000, /* a file's time is that of the clock's last tick */
    GAP_MOST = 8,
};

struct history {
    char *path, *file; /* its name, and where that led when it was first opened (logs/target.h); or NULL */
    const struct rights *rights;
    const struct segment_filter *filter;
    int64_t until;
    struct segment now;
    int64_t bound;  /* no line of the next file is younger; INT64_MIN: there is no next file */
    int next;       /* its number */
    int64_t *found; /* starts of lines of `now`, the last one first */
    size_t n, taken;
    bool all_found;      /* nothing is before the last of them */
    int64_t rest_bound;  /* ... or no line there is younger */
    struct segment from; /* where the oldest taken line stands, if not in `now` */
    int64_t start;       /* ... and its offset; -1: none was taken */
    int error;           /* errno of a file that could not be opened, or 0 */
    struct stat live;    /* the file that was written to when we began; zeroes: there was none */
};

/* Of a thousand logs most are never opened, and need not be asked whether they are links. */
static const char *file_of(struct history *h)
{
    struct place at;
    if (h->file)
        return h->file;
    bool may = place_begin(&at, h->rights, h->path) == 0;
    h->file = may ? target_of(at.name) : xstrdup(h->path);
    if (may)
        place_end(&at);
    return h->file;
}

static int64_t bound_of(struct history *h, int number)
{
    struct stat st;
    for (int gz = 0; gz <= MIN(number, 1); gz++) {
        own_text name = number ? names_archive(file_of(h), number, gz) : NULL;
        struct place at;
        if (place_begin(&at, h->rights, h->path) < 0)
            return INT64_MIN;
        int r = stat(name ? name : at.name, &st);
        place_end(&at);
        if (r < 0 || !S_ISREG(st.st_mode))
            continue;
        if (number == 0)
            h->live = st;
        if (st.st_size > 0)
            return os_filetime_ns(&st) / 1000 + LATE_US;
    }
    return INT64_MIN;
}

static void find_next(struct history *h, int number)
{
    h->bound = INT64_MIN;
    for (int missing = 0; missing < GAP_MOST && h->bound == INT64_MIN; missing++) {
        h->next = number + missing;
        h->bound = bound_of(h, h->next);
    }
}

struct history *history_new(const char *path, const struct rights *rights,
                            const struct segment_filter *filter, int64_t until)
{
    struct history *h = xnew(struct history);
    h->path = xstrdup(path);
    h->rights = rights;
    h->filter = filter;
    h->until = until;
    h->now = h->from = SEGMENT_NONE;
    h->start = -1;
    h->all_found = true;
    find_next(h, 0);
    return h;
}

struct history *history_free(struct history *h)
{
    if (!h)
        return NULL;
    segment_close(&h->now);
    segment_close(&h->from);
    free(h->found);
    free(h->path);
    free(h->file);
    free(h);
    return NULL;
}

bool history_is_exact(const struct history *h)
{
    return h->taken < h->n;
}

int64_t history_time(const struct history *h)
{
    if (!history_is_exact(h))
        return h->all_found ? h->bound : h->rest_bound;
    return segment_time((struct segment *)&h->now, h->file, h->found[h->taken]);
}

static void find_more(struct history *h, size_t most)
{
    size_t want =
        h->now.gz ? MAX(MIN(most, (size_t)GZ_MOST), (size_t)GZ_AT_ONCE) : MIN(most, (size_t)AT_ONCE);
    int64_t before = h->n ? h->found[h->n - 1] : segment_before(&h->now, h->file, h->until);
    h->found = xrealloc(h->found, (want + 1) * sizeof(*h->found));
    h->n = segment_back(&h->now, before, h->filter, want, h->found);
    h->taken = 0;
    h->all_found = h->n < want;
    if (h->n)
        h->rest_bound = segment_time(&h->now, h->file, h->found[h->n - 1]);
}

/* What has been written since we began is news. */
static void forget_news(const struct history *h, struct segment *s)
{
    if (s->inode == h->live.st_ino && s->dev == h->live.st_dev)
        s->size = MIN(s->size, h->live.st_size);
    else if (s->number == 0)
        s->size = 0;
}

static bool open_segment(struct history *h, struct segment *s)
{
    bool opened = segment_open_as(s, h->rights, h->path, file_of(h), h->next);
    if (!opened && errno != ENOENT)
        h->error = errno;
    return opened;
}

/* The file whose lines were taken last is kept for who reads on from there. */
static bool open_next(struct history *h)
{
    if (h->bound == INT64_MIN)
        return false;
    if (h->start >= 0 && segment_is_open(&h->now) && !segment_is_open(&h->from)) {
        h->from = h->now;
        h->now = SEGMENT_NONE;
    }
    segment_close(&h->now);
    h->n = h->taken = 0;
    h->all_found = true;
    h->rest_bound = h->bound;
    if (open_segment(h, &h->now)) {
        forget_news(h, &h->now);
        h->all_found = false;
    }
    find_next(h, h->next + 1);
    return true;
}

void history_look(struct history *h, size_t most)
{
    while (!history_is_exact(h)) {
        if (!h->all_found)
            find_more(h, most);
        else if (!open_next(h))
            return;
    }
}

void history_back(struct history *h)
{
    h->start = h->found[h->taken++];
    segment_close(&h->from); /* ours is in the file we hold */
}

bool history_was_taken(const struct history *h)
{
    return h->start >= 0;
}

int history_error(const struct history *h)
{
    return h->error;
}

const struct stat *history_live(const struct history *h)
{
    return &h->live;
}

/* The end as it was when we began. */
static struct tail *tail_from_end(struct history *h)
{
    struct tail *t = tail_new(h->path, h->rights);
    struct segment s = SEGMENT_NONE;
    if (!segment_open_as(&s, h->rights, h->path, file_of(h), 0))
        return t;
    forget_news(h, &s);
    int64_t end = segment_end(&s);
    tail_start(t, &s, end);
    return t;
}

struct tail *history_tail(struct history *h)
{
    if (h->start < 0)
        return tail_from_end(h);
    struct tail *t = tail_new(h->path, h->rights);
    tail_start(t, segment_is_open(&h->from) ? &h->from : &h->now, h->start);
    return t;
}

/* Going back file by file: the first that was begun before `time`. */
struct tail *history_since(struct history *h, int64_t time)
{
    struct tail *t = tail_new(h->path, h->rights);
    struct segment oldest = SEGMENT_NONE, s = SEGMENT_NONE;
    for (int missing = 0; missing < GAP_MOST && h->bound != INT64_MIN && h->bound >= time;) {
        if (open_segment(h, &s)) {
            segment_close(&oldest);
            oldest = s;
            s = SEGMENT_NONE;
        } else {
            missing++;
        }
        find_next(h, h->next + 1);
    }
    if (!segment_is_open(&oldest)) {
        tail_free(t);
        return tail_from_end(h);
    }
    tail_start(t, &oldest, segment_offset(&oldest, file_of(h), time));
    return t;
}
