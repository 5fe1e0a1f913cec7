#include "logs/merge.h"

#include <stdlib.h>
#include <sys/stat.h>

/* A heap of what comes next of each log: the latest on top when going back, the earliest when going on. */
struct next {
    int64_t time;
    size_t which;
};
struct heap {
    struct next *all;
    size_t n;
    bool latest;
};

static bool is_before(const struct heap *h, struct next a, struct next b)
{
    if (a.time != b.time)
        return h->latest ? a.time > b.time : a.time < b.time;
    return h->latest ? a.which > b.which : a.which < b.which;
}

static void sink_down(struct heap *h, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < h->n; child++)
            if (is_before(h, h->all[child], h->all[least]))
                least = child;
        if (least == i)
            return;
        struct next swap = h->all[i];
        h->all[i] = h->all[least];
        h->all[least] = swap;
        i = least;
    }
}

static void heap_build(struct heap *h)
{
    for (size_t i = h->n / 2; i-- > 0;)
        sink_down(h, i);
}

static void heap_pop(struct heap *h)
{
    h->all[0] = h->all[--h->n];
    sink_down(h, 0);
}

/* Going back until there are lines enough: where does each log begin? */

static void go_back(const struct merge *m, struct history **histories)
{
    struct heap h = { .all = xcalloc(m->n + 1, sizeof(struct next)), .latest = true };
    for (size_t i = 0; i < m->n; i++)
        if (history_time(histories[i]) != INT64_MIN)
            h.all[h.n++] = (struct next){ history_time(histories[i]), i };
    heap_build(&h);
    for (size_t lines = 0; h.n && lines < m->lines && h.all[0].time >= m->since;) {
        struct history *top = histories[h.all[0].which];
        if (!history_is_exact(top)) {
            history_look(top, m->lines);
        } else {
            lines += h.all[0].time <= m->until;
            history_back(top);
        }
        h.all[0].time = history_time(top);
        if (h.all[0].time == INT64_MIN)
            heap_pop(&h);
        else
            sink_down(&h, 0);
    }
    free(h.all);
}

/* Going on from there. */

struct reader {
    struct tail *tail;
    const struct stat *live; /* the log itself, when we began */
    bool reached;            /* it was read from */
    bool past;               /* what came last was written since */
    struct tail_at at;
    int64_t time;
};

static bool is_wanted(const struct segment_filter *f, const struct tail_at *at)
{
    return !f->wants || f->wants(f->arg, at->line, at->n);
}

/* The place tells, since the clock may have been set back; but who finds its next file deleted has none. */
static bool is_past(const struct merge *m, struct reader *r, int64_t time)
{
    if (tail_reads(r->tail, r->live)) {
        r->reached = true;
        return r->at.offset >= r->live->st_size;
    }
    return r->reached || (tail_was_outrun(r->tail) && time > m->now);
}

/* Lines of a file are in its order, whatever their times. False: that was the last one. */
static bool read_next(const struct merge *m, struct reader *r, size_t which)
{
    while (tail_next(r->tail, &r->at)) {
        int64_t time = tail_time(r->tail, r->at.offset);
        r->past = is_past(m, r, time);
        if (r->past && !m->follow)
            break;
        bool within = time >= m->since && time <= m->until;
        if (r->at.continues || (within && is_wanted(&m->filters[which], &r->at))) {
            r->time = MAX(time, r->time);
            return true;
        }
        tail_skip_line(r->tail);
        if (r->past)
            break;
    }
    return false;
}

/* Each log to what was written since we began: somebody may write faster than we read. A line of that has
 * been read when it is known, so who follows is given it here. */
static void go_on(const struct merge *m, struct tail *const *tails, const struct stat *live)
{
    struct heap h = { .all = xcalloc(m->n + 1, sizeof(struct next)) };
    struct reader *readers = xcalloc(m->n + 1, sizeof(*readers));
    for (size_t i = 0; i < m->n; i++) {
        if (!tails[i])
            continue;
        readers[i] = (struct reader){ .tail = tails[i], .live = &live[i], .time = INT64_MIN };
        if (read_next(m, &readers[i], i))
            h.all[h.n++] = (struct next){ readers[i].time, i };
    }
    heap_build(&h);
    while (h.n) {
        size_t which = h.all[0].which;
        struct reader *r = &readers[which];
        if (!m->line(m->arg, which, r->time, &r->at))
            break;
        if (!r->past && read_next(m, r, which)) {
            h.all[0].time = r->at.continues ? INT64_MIN : r->time; /* nothing comes in between */
            sink_down(&h, 0);
        } else {
            heap_pop(&h);
        }
    }
    free(readers);
    free(h.all);
}

static struct tail *begin(const struct merge *m, struct history *h)
{
    if (m->lines == SIZE_MAX)
        return history_since(h, m->since);
    return m->follow || history_was_taken(h) ? history_tail(h) : NULL;
}

static void tell_unread(const struct merge *m, struct tail *const *tails, const int *errors)
{
    for (size_t i = 0; i < m->n && m->unread; i++) {
        int later = tails[i] ? tail_error(tails[i]) : 0;
        if (errors[i] || later)
            m->unread(m->arg, i, errors[i] ? errors[i] : later);
    }
}

struct tail **merge_run(const struct merge *m)
{
    struct tail **tails = xcalloc(m->n + 1, sizeof(struct tail *));
    struct history **histories = xcalloc(m->n + 1, sizeof(struct history *));
    struct stat *live = xcalloc(m->n + 1, sizeof(*live));
    int *errors = xcalloc(m->n + 1, sizeof(*errors));
    for (size_t i = 0; i < m->n; i++)
        histories[i] = history_new(m->paths[i], m->rights ? m->rights[i] : NULL, &m->filters[i], m->until);
    if (m->lines != SIZE_MAX)
        go_back(m, histories);
    for (size_t i = 0; i < m->n; i++) {
        tails[i] = begin(m, histories[i]);
        live[i] = *history_live(histories[i]);
        errors[i] = history_error(histories[i]);
        history_free(histories[i]);
    }
    free(histories);
    go_on(m, tails, live);
    tell_unread(m, tails, errors);
    free(live);
    free(errors);
    return tails;
}
