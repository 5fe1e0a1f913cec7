#include "logs/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/pump.h"

enum {
    MUCH = 8 << 10,        /* a transfer of so much: the app is quick, its pipe is not waited for */
    BUSY_FROM = 384 << 10, /* ... of so much after a rest: there is none before the next */
    BUSY = 128 << 10,      /* ... while so much comes without one */
    PIPE_LARGE = 1 << 20,  /* what a pipe grows to that runs full within a rest */
    PEEK = 128 << 10,
    PIECE_MOST = 16 << 10, /* a line is waited for until so much of it is there */
    STUCK_MS = 1000,       /* a FIFO that nobody reads has so long */
};

void flow_init(struct flow *f)
{
    f->scratch[0] = f->scratch[1] = -1;
}

void flow_done(struct flow *f)
{
    fd_done(&f->scratch[0]);
    fd_done(&f->scratch[1]);
    free(f->peeked);
    f->peeked = NULL;
    buf_done(&f->formatted);
}

/* Not more than the transit pipe takes (transit_commit). */
static bool need_scratch(struct flow *f)
{
    if (f->peeked)
        return true;
    if (os_pump_pipe(f->scratch) < 0)
        return false;
    os_pump_grow(f->scratch[1], f->transit ? os_pump_size(transit_end(f->transit)) : PEEK);
    f->peeked = xmalloc(PEEK);
    return true;
}

/* Without a system call where the machine has a usable clock. */
static int64_t mono_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static ssize_t peek(struct flow *f, int fd, size_t most)
{
    if (!need_scratch(f))
        return -1;
    int64_t since = mono_us();
    ssize_t n = os_pump_peek(f->scratch, fd, f->peeked, most);
    f->pipe_us += mono_us() - since;
    return n;
}

/* How much of what was peeked at is whole lines; 0: no line ends in it. */
static size_t whole_lines(const char *bytes, size_t n)
{
    const char *last = text_last(bytes, n, '\n');
    return last ? (size_t)(last - bytes) + 1 : 0;
}

/* Trouble: the bytes are taken and forgotten, so that the app goes on; whole lines where that can be. */

static size_t drop_bytes(int fd, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t r = os_pump_drop(fd, n - done);
        if (r <= 0)
            break;
        done += (size_t)r;
    }
    return done;
}

static void count_dropped(struct flow *f, struct stream *st, size_t n, int error)
{
    if (n == 0)
        return;
    st->dropped += (int64_t)n;
    st->well_at = 0;
    if (st->dropping) {
        f->dropped(f->arg, st);
        return;
    }
    st->dropping = true;
    f->trouble(f->arg, st, error);
}

static size_t drop(struct flow *f, struct stream *st, int fd)
{
    ssize_t n = peek(f, fd, PEEK);
    f->limited = true; /* to what is peeked at: there may be more */
    if (n <= 0)
        return 0;
    size_t lines = whole_lines(f->peeked, (size_t)n);
    st->torn = lines == 0;
    size_t done = drop_bytes(fd, lines ? lines : (size_t)n);
    count_dropped(f, st, done, st->sink->error);
    return done;
}

/* The rest of a line whose head was dropped. Bytes, or -1. */
static ssize_t drop_torn(struct flow *f, struct stream *st, int fd)
{
    ssize_t n = peek(f, fd, PEEK);
    f->limited = true;
    const char *end = n > 0 ? memchr(f->peeked, '\n', (size_t)n) : NULL;
    if (n <= 0)
        return -1;
    size_t done = drop_bytes(fd, end ? (size_t)(end - f->peeked) + 1 : (size_t)n);
    st->torn = !end;
    count_dropped(f, st, done, st->sink->error);
    return (ssize_t)done;
}

static void went_well(struct flow *f, struct stream *st)
{
    st->sink->error = 0;
    st->sink->stuck_at = 0;
    if (!st->dropping || st->well_at)
        return;
    st->well_at = f->env.now_ms;
    f->better(f->arg, st);
}

/* A FIFO or device takes nothing more just now: its reader has a second, then the bytes go. */
static bool has_time(struct flow *f, struct stream *st)
{
    struct sink *s = st->sink;
    if (s->error)
        return false;
    if (!s->stuck_at)
        s->stuck_at = f->env.now_ms;
    if (f->env.now_ms - s->stuck_at >= STUCK_MS)
        return false;
    if (!list_linked(&st->waiting))
        list_append(&s->waiting, &st->waiting);
    return true;
}

static size_t failed(struct flow *f, struct stream *st, int fd, int error)
{
    struct sink *s = st->sink;
    if (!s->plain && error == EAGAIN && has_time(f, st))
        return 0;
    sink_failed(&f->env, s, error);
    return drop(f, st, fd);
}

/* Somebody's line was cut short here, by a full disk or because two streams share the file. */
static bool end_line(struct stream *st)
{
    struct sink *s = st->sink;
    if (!s->plain || sink_ends_line(s))
        return true;
    errno = ENOSPC;
    if (pwrite(s->fd, "\n", 1, (off_t)s->offset) != 1)
        return false;
    s->offset++;
    return true;
}

/* Raw: from the app's pipe, or from the transit pipe. */

static ssize_t write_raw(struct flow *f, struct stream *st, int fd, size_t most)
{
    struct sink *s = st->sink;
    bool file_failed = false;
    if (!sink_usable(&f->env, s))
        return (ssize_t)drop(f, st, fd);
    if (st->torn)
        return drop_torn(f, st, fd);
    if (s->error && !end_line(st))
        return (ssize_t)failed(f, st, fd, errno);
    if (!sink_is_ready(s))
        return (ssize_t)failed(f, st, fd, errno);
    sink_mark(&f->env, s);
    int64_t since = s->plain ? 0 : mono_us(); /* straight from the app's pipe, and to another */
    ssize_t n = os_pump(fd, s->fd, &s->offset, most, &file_failed);
    f->pipe_us += s->plain ? 0 : mono_us() - since;
    if (n < 0 && file_failed)
        return (ssize_t)failed(f, st, fd, errno);
    if (n > 0 && file_failed) {
        sink_failed(&f->env, s, errno);
        count_dropped(f, st, (size_t)n, s->error);
    } else if (n > 0) {
        went_well(f, st);
    }
    return n;
}

/* The file is full and a line is open: the rest of that line alone goes in. */
static ssize_t finish_line(struct flow *f, struct stream *st, int fd, size_t most)
{
    ssize_t n = peek(f, fd, PIECE_MOST);
    const char *end = n > 0 ? memchr(f->peeked, '\n', (size_t)n) : NULL;
    if (n <= 0)
        return n;
    size_t len = end ? (size_t)(end - f->peeked) + 1 : (size_t)n;
    return write_raw(f, st, fd, MIN(len, most));
}

static ssize_t move_raw(struct flow *f, struct stream *st, int fd, size_t most)
{
    bool at_line = false;
    int waiting;
    if (st->sink->offset >= st->sink->full_at && os_pump_waiting(fd, &waiting) && waiting == 0)
        return -1; /* a full file is rotated when there is something for the next one */
    int64_t room = st->sink->fd < 0 ? INT64_MAX : sink_room(&f->env, st->sink, &at_line);
    f->limited = at_line || room < (int64_t)most || !st->sink->plain; /* a FIFO takes what it has room for */
    most = (size_t)MIN((int64_t)most, room);
    return at_line ? finish_line(f, st, fd, most) : write_raw(f, st, fd, most);
}

/* `taken` bytes are in the transit pipe, and go on to the file, or are dropped: it has to be empty for the
 * next stream. A file may refuse what it took a moment ago: somebody has put a FIFO in its place, which is
 * full, or no descriptor is left to peek with. What is in the transit pipe cannot wait for better times. */
static void drain_transit(struct flow *f, struct stream *st, size_t taken)
{
    ssize_t n;
    while (taken > 0 && (n = move_raw(f, st, transit_end(f->transit), PIPE_LARGE)) > 0)
        taken -= MIN(taken, (size_t)n);
    if (taken > 0)
        count_dropped(f, st, transit_forget(f->transit), st->sink->error ? st->sink->error : EAGAIN);
}

static ssize_t move_through_transit(struct flow *f, struct stream *st, size_t most)
{
    int64_t since = mono_us();
    ssize_t n = transit_take(f->transit, st->id, st->fd, most);
    f->pipe_us += mono_us() - since;
    if (n > 0)
        drain_transit(f, st, (size_t)n);
    return n;
}

static bool has_more(const struct stream *st, size_t than)
{
    int waiting;
    return os_pump_waiting(st->fd, &waiting) && waiting > (int)than;
}

/* Does it fill its pipe while we rest? Then we do not, and the pipe is made larger. */
static bool ran_full(struct stream *st, size_t n)
{
    if (n < MUCH || n < (size_t)os_pump_size(st->fd) / 4 * 3)
        return false;
    if (!st->large) {
        st->large = true;
        os_pump_grow(st->fd, PIPE_LARGE);
    }
    return true;
}

/* A line without an end: it is waited for, unless the pipe could be full before it comes. */
static bool is_awaited(const struct stream *st, size_t n)
{
    return n < PIECE_MOST && !st->hurried && n < (size_t)os_pump_size(st->fd) / 4;
}

/* A file of several streams is given whole lines: what is written in pieces, as unbuffered print()s do, does
 * not end up in the middle of another's line. Bytes; 0: it is waited for. *part: there may be more than that.
 */
static size_t raw_most(struct flow *f, struct stream *st, bool *part)
{
    f->left = 0;
    *part = false;
    ssize_t n = st->sink->refs > 1 && st->sink->plain ? peek(f, st->fd, PEEK) : 0;
    if (n <= 0)
        return PIPE_LARGE;
    size_t lines = whole_lines(f->peeked, (size_t)n);
    *part = n == PEEK;
    f->left = (size_t)n - lines;
    if (lines == 0 && !is_awaited(st, (size_t)n)) {
        f->left = 0;
        st->midline = true;
        return (size_t)n;
    }
    st->midline = st->midline && lines == 0;
    return lines;
}

/* While much comes, one transfer after the other; else one, after which it gathers again. Never straight from
 * the app's pipe to a file: splice(2) keeps the pipe locked while it writes, and on a disk that hangs the app
 * would wait for that lock uninterruptibly at its next write, and at its exit. (A FIFO or device is not
 * waited for.) */
static size_t move_all_raw(struct flow *f, struct stream *st)
{
    size_t total = 0;
    ssize_t n = 0;
    while (total < STREAM_TURN) {
        bool part, transit = f->transit && st->sink->plain;
        size_t most = raw_most(f, st, &part);
        n = most == 0 ? 0 : transit ? move_through_transit(f, st, most) : move_raw(f, st, st->fd, most);
        if (n <= 0)
            break;
        total += (size_t)n;
        if (part || (!transit && f->limited))
            continue;
        st->much = n >= MUCH;
        bool was_busy = st->busy;
        st->busy = ran_full(st, (size_t)n) || n >= (was_busy ? BUSY : BUSY_FROM);
        st->brisk = !st->busy && (was_busy || (st->brisk && n >= BUSY));
        if (!st->busy)
            break;
    }
    st->more =
        n > 0 && (st->busy || st->hurried || total >= STREAM_TURN) && has_more(st, st->hurried ? 0 : f->left);
    return total;
}

/* Lines in another form. */

/* To a FIFO or device a line goes at once or not at all, but for one that is too long for that. */
static bool write_all(struct sink *s, const char *bytes, size_t n)
{
    if (!s->plain)
        return sink_is_ready(s) && write(s->fd, bytes, n) > 0;
    for (size_t done = 0; done < n;) {
        ssize_t w = pwrite(s->fd, bytes + done, n - done, (off_t)(s->offset + (int64_t)done));
        if (w < 0 && errno != EINTR)
            return false;
        done += w > 0 ? (size_t)w : 0;
    }
    return true;
}

/* Another stream's line may stand open at the end of the file, or ours may not stand there any more. */
static void begin_lines(struct flow *f, struct stream *st)
{
    struct sink *s = st->sink;
    bool ours = s->unended && s->unended_by == st->id;
    buf_clear(&f->formatted);
    if (!ours)
        lines_set_open(st->lines, false);
    if (s->unended && !ours)
        buf_addc(&f->formatted, '\n');
}

/* Writes what was formatted of the pipe's first `used` bytes, and takes those. */
static ssize_t commit(struct flow *f, struct stream *st, size_t used)
{
    struct sink *s = st->sink;
    bool safe = f->transit && s->plain;
    sink_mark(&f->env, s);
    if (safe)
        transit_begin(f->transit, st->id, s->offset, used);
    if (!write_all(s, f->formatted.data, f->formatted.len)) {
        int why = errno;
        if (s->plain && ftruncate(s->fd, (off_t)s->offset) < 0)
            sink_look(&f->env, s); /* what is there stays */
        if (safe)
            transit_undo(f->transit);
        return (ssize_t)failed(f, st, st->fd, why);
    }
    if (s->plain)
        s->offset += (int64_t)f->formatted.len;
    s->unended = lines_open(st->lines);
    s->unended_by = st->id;
    if (safe)
        transit_commit(f->transit, st->fd);
    else
        drop_bytes(st->fd, used);
    went_well(f, st);
    return (ssize_t)used;
}

/* Whole lines, as many as the file has room for; at least one in a new file. */
static ssize_t move_lines(struct flow *f, struct stream *st, size_t n)
{
    struct sink *s = st->sink;
    for (bool again = true;; again = false) {
        bool at_line;
        int64_t room = sink_room(&f->env, s, &at_line), most = s->plain ? MIN(room, (int64_t)PIPE_LARGE) : 1;
        begin_lines(f, st);
        size_t used = lines_format(st->lines, f->env.now_us, f->peeked, n, (size_t)most, &f->formatted);
        if (!again || at_line || s->offset <= 0 || (int64_t)f->formatted.len <= room ||
            !sink_rotate(&f->env, s))
            return commit(f, st, used);
    }
}

/* A piece ends where a character does; the rest of that one may be on its way, unless the app is gone. */
static size_t piece_of(const struct stream *st, const char *bytes, size_t n)
{
    size_t whole = lines_whole(st->lines, bytes, n);
    return st->ending && !has_more(st, n) ? n : whole;
}

static ssize_t move_piece(struct flow *f, struct stream *st, size_t n)
{
    bool at_line;
    if (is_awaited(st, n) || (n = piece_of(st, f->peeked, n)) == 0)
        return 0;
    sink_room(&f->env, st->sink, &at_line);
    begin_lines(f, st);
    lines_piece(st->lines, f->env.now_us, f->peeked, n, &f->formatted);
    return commit(f, st, n);
}

static ssize_t move_formatted(struct flow *f, struct stream *st)
{
    f->left = 0;
    if (!sink_usable(&f->env, st->sink))
        return (ssize_t)drop(f, st, st->fd);
    if (st->torn)
        return drop_torn(f, st, st->fd);
    ssize_t n = peek(f, st->fd, PEEK);
    if (n <= 0)
        return n;
    size_t lines = whole_lines(f->peeked, (size_t)n);
    ssize_t used = lines ? move_lines(f, st, lines) : move_piece(f, st, (size_t)n);
    f->left = (size_t)(n - MAX(used, (ssize_t)0));
    f->limited = used < (ssize_t)lines;
    return used;
}

static size_t move_all_formatted(struct flow *f, struct stream *st)
{
    size_t total = 0;
    while (total < STREAM_TURN) {
        ssize_t n = move_formatted(f, st);
        if (n <= 0)
            break;
        total += (size_t)n;
        st->much = n >= MUCH;
        st->busy = n >= PEEK / 2;
        if (!st->busy && !f->limited && !st->hurried)
            break;
    }
    ran_full(st, total);
    st->more = total > 0 && has_more(st, f->left);
    return total;
}

size_t stream_move(struct flow *f, struct stream *st)
{
    if (list_linked(&st->waiting) && f->env.now_ms - st->sink->stuck_at < STUCK_MS)
        return 0;
    st->more = false;
    list_remove(&st->waiting);
    sink_look(&f->env, st->sink);
    return st->lines ? move_all_formatted(f, st) : move_all_raw(f, st);
}

/* When a run ends. */

void stream_drain(struct flow *f, struct stream *st)
{
    bool was_hurried = st->hurried;
    int waiting = 0;
    size_t n, left;
    if (!os_pump_waiting(st->fd, &waiting) || waiting <= 0)
        return;
    st->hurried = true;
    for (left = (size_t)waiting; left > 0 && (n = stream_move(f, st)) > 0;)
        left -= MIN(left, n);
    st->hurried = was_hurried; /* what comes later is not */
}

/* Is the open line at the end of the file ours? */
static bool left_open(const struct stream *st, bool moved)
{
    const struct sink *s = st->sink;
    if (st->lines)
        return s->unended && s->unended_by == st->id;
    return s->refs == 1 || moved || st->midline;
}

void stream_end_run(struct flow *f, struct stream *st, bool gathered, bool (*is_void)(void *arg), void *arg)
{
    struct sink *s = st->sink;
    int64_t before = s->offset;
    st->ending = true;
    if (!gathered)
        stream_drain(f, st);
    st->ending = false;
    if (is_void(arg)) /* it took so long that the next run has begun */
        return;
    sink_look(&f->env, s);
    if (s->plain && s->fd >= 0 && !s->error && left_open(st, s->offset != before) && end_line(st)) {
        s->unended = false;
        if (st->lines)
            lines_set_open(st->lines, false);
    }
    st->torn = st->midline = false; /* the rest of that line does not come */
}

/* Beginning, and taking over. */

void stream_begin(struct stream *st)
{
    struct sink *s = st->sink;
    if (!st->lines || s->unended || !s->plain || s->fd < 0 || sink_ends_line(s))
        return;
    s->unended = true;
    s->unended_by = s->refs == 1 ? st->id : 0; /* if others write here too it may be theirs */
    lines_set_open(st->lines, true);
    if (!lines_open(st->lines))
        s->unended_by = 0;
}

/* Lines: either they were written and some are taken, then so are the others; or the file is cut back. */
static void recover_lines(struct flow *f, struct stream *st, const struct transit_left *left)
{
    struct sink *s = st->sink;
    if (left->taken > 0)
        transit_commit(f->transit, st->fd);
    else if (s->plain && s->fd >= 0 && s->offset > left->offset && ftruncate(s->fd, (off_t)left->offset) == 0)
        s->offset = left->offset;
}

void stream_recover(struct flow *f, struct stream *st, const struct transit_left *left)
{
    if (left->phase == TRANSIT_LINES)
        recover_lines(f, st, left);
    else if (left->phase == TRANSIT_RAW && left->taken > 0)
        drain_transit(f, st, (size_t)left->taken);
    transit_clear(f->transit);
}
