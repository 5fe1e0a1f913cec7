#include "watch/watcher.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"

enum { TODO_OPEN = 1, TODO_READ = 2, TODO_POLL = 4, TODO_CHECK = 8, TODO_FREE = 16 };
enum {
    LOOK_MS = 2000, /* between looks at what has no watch; */
    LOOK_SHARE = 20 /* ... and at least so many times as long as one takes */
};

struct watcher {
    struct tree *tree;
    watcher_told *told;
    void *arg;
    int64_t rest;
    bool running, listening, dying;
    unsigned todo, doing;
    int64_t newer, newer_then, took; /* ms; newer_then: what the work was given */
    uint64_t hits;
    bool differs;
    enum watcher_answer answer;
    struct tree_state state;
    char problem[256];

    uv_work_t work;
    uv_poll_t poll;
    uv_timer_t rest_timer, look_timer;
    uv_fs_event_t *hints; /* where the kernel has no watches for us: one for each root */
    size_t n_hints;
    int open; /* handles that are not closed yet */
};

/* On the pool ----------------------------------------------------------------------------------------------
 */

static void on_work(uv_work_t *work)
{
    struct watcher *w = container_of(work, struct watcher, work);
    int64_t begin = time_mono_ms();
    if (w->doing & TODO_FREE) {
        w->tree = tree_free(w->tree);
        return;
    }
    tree_set_newer(w->tree, w->newer_then);
    if (w->doing & TODO_OPEN)
        tree_open(w->tree);
    if (w->doing & (TODO_READ | TODO_CHECK))
        tree_read(w->tree);
    if (w->doing & TODO_POLL) {
        tree_poll(w->tree);
        w->took = time_mono_ms() - begin;
    }
    if (w->doing & TODO_CHECK)
        w->differs = tree_differs(w->tree);
}

/* On the loop ----------------------------------------------------------------------------------------------
 */

static void after_work(uv_work_t *work, int status);

static void go(struct watcher *w)
{
    if (w->running || !w->todo)
        return;
    w->doing = w->todo;
    w->todo = 0;
    w->newer_then = w->newer;
    w->running = true;
    uv_queue_work(w->work.loop, &w->work, on_work, after_work);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct watcher *w = container_of(poll, struct watcher, poll);
    uv_poll_stop(poll);
    w->listening = false;
    w->todo |= TODO_READ;
    go(w);
}

static void hear(struct watcher *w)
{
    if (w->listening || w->dying || tree_fd(w->tree) < 0)
        return;
    uv_poll_start(&w->poll, UV_READABLE, on_readable);
    w->listening = true;
}

static void on_rest(uv_timer_t *timer)
{
    hear(container_of(timer, struct watcher, rest_timer));
}

static void on_look(uv_timer_t *timer)
{
    struct watcher *w = container_of(timer, struct watcher, look_timer);
    w->todo |= TODO_POLL;
    go(w);
}

static void bury(struct watcher *w)
{
    if (w->open || w->running)
        return;
    if (w->tree) {
        w->todo = TODO_FREE;
        go(w);
    } else {
        free(w->hints);
        free(w);
    }
}

static void take_state(struct watcher *w)
{
    w->state = tree_state(w->tree);
    if (w->state.problem)
        memcpy(w->problem, w->state.problem, MIN(strlen(w->state.problem) + 1, sizeof(w->problem)));
    w->state.problem = w->state.problem ? w->problem : NULL;
    w->hits = tree_changes(w->tree)->hits;
}

static void after_work(uv_work_t *work, int status)
{
    struct watcher *w = container_of(work, struct watcher, work);
    w->running = false;
    if (w->dying) {
        bury(w);
        return;
    }
    take_state(w);
    if (w->doing & TODO_CHECK)
        w->answer = w->differs ? WATCHER_DIFFERS : WATCHER_SAME;
    if (w->rest && w->doing & TODO_READ)
        uv_timer_start(&w->rest_timer, on_rest, (uint64_t)w->rest, 0);
    else if (!uv_is_active((uv_handle_t *)&w->rest_timer))
        hear(w);
    if (w->state.polled && !uv_is_active((uv_handle_t *)&w->look_timer))
        uv_timer_start(&w->look_timer, on_look, (uint64_t)MAX((int64_t)LOOK_MS, w->took * LOOK_SHARE), 0);
    go(w);
    w->told(w->arg);
}

/* Hints ----------------------------------------------------------------------------------------------------
 */

static void on_hint(uv_fs_event_t *hint, const char *name, int events, int status)
{
    struct watcher *w = hint->data;
    w->todo |= TODO_POLL;
    go(w);
}

/* FSEvents, on macOS, tells that something below a folder has changed, for next to nothing: a reason to look
 * before it is time to. Elsewhere that is true of the folder itself, which does no harm. */
static void take_hints(struct watcher *w)
{
    while (tree_root(w->tree, w->n_hints))
        w->n_hints++;
    w->hints = xcalloc(w->n_hints, sizeof(*w->hints));
    for (size_t i = 0; i < w->n_hints; i++) {
        uv_fs_event_init(w->work.loop, &w->hints[i]);
        w->hints[i].data = w;
        w->open++;
        uv_fs_event_start(&w->hints[i], on_hint, tree_root(w->tree, i), UV_FS_EVENT_RECURSIVE);
    }
}

/* Beginning and end ----------------------------------------------------------------------------------------
 */

struct watcher *watcher_new(uv_loop_t *loop, struct tree *take_tree, int64_t rest, watcher_told *told,
                            void *arg)
{
    struct watcher *w = xnew(struct watcher);
    w->tree = take_tree;
    w->told = told;
    w->arg = arg;
    w->rest = rest;
    w->work.loop = loop;
    uv_timer_init(loop, &w->rest_timer);
    uv_timer_init(loop, &w->look_timer);
    w->open = 2;
    if (tree_fd(w->tree) >= 0) {
        uv_poll_init(loop, &w->poll, tree_fd(w->tree));
        w->open++;
    } else {
        take_hints(w);
    }
    w->todo = TODO_OPEN;
    return w;
}

static void closed(struct watcher *w)
{
    w->open--;
    bury(w);
}

static void poll_closed(uv_handle_t *h)
{
    closed(container_of((uv_poll_t *)h, struct watcher, poll));
}

static void hint_closed(uv_handle_t *h)
{
    closed(h->data);
}

static void rest_closed(uv_handle_t *h)
{
    closed(container_of((uv_timer_t *)h, struct watcher, rest_timer));
}

static void look_closed(uv_handle_t *h)
{
    closed(container_of((uv_timer_t *)h, struct watcher, look_timer));
}

struct watcher *watcher_free(struct watcher *w)
{
    if (!w)
        return NULL;
    w->dying = true;
    atomic_store(tree_leave(w->tree), true);
    for (size_t i = 0; i < w->n_hints; i++)
        uv_close((uv_handle_t *)&w->hints[i], hint_closed);
    if (tree_fd(w->tree) >= 0) {
        uv_poll_stop(&w->poll);
        uv_close((uv_handle_t *)&w->poll, poll_closed);
    }
    uv_close((uv_handle_t *)&w->rest_timer, rest_closed);
    uv_close((uv_handle_t *)&w->look_timer, look_closed);
    return NULL;
}

/* Asking ---------------------------------------------------------------------------------------------------
 */

void watcher_set_newer(struct watcher *w, int64_t newer)
{
    w->newer = newer;
    go(w); /* the first time: only now is it known what counts */
}

bool watcher_is_busy(const struct watcher *w)
{
    return w->running;
}

uint64_t watcher_hits(const struct watcher *w)
{
    return w->hits;
}

struct tree_state watcher_state(const struct watcher *w)
{
    return w->state;
}

const struct changes *watcher_changes(const struct watcher *w)
{
    return tree_changes(w->tree);
}

void watcher_forget_changes(struct watcher *w)
{
    changes_clear(tree_changes(w->tree));
}

void watcher_check(struct watcher *w)
{
    w->todo |= TODO_CHECK;
    go(w);
}

enum watcher_answer watcher_take_answer(struct watcher *w)
{
    enum watcher_answer answer = w->answer;
    w->answer = WATCHER_NONE;
    return answer;
}

void watcher_write(const struct watcher *w, struct json_out *j)
{
    tree_write(w->tree, j);
}
