/* src/watch/watcher.h: a tree, and the loop that is told of it. Whatever reads folders or files runs on
 * libuv's worker pool, one piece of work at a time: the loop never waits for a disk, and needs no lock, for
 * the tree belongs to the work while it runs and to the loop while none does. */
#pragma once
#include <uv.h>

#include "watch/tree.h"

struct watcher;

/* Some work is done: there may be changes, a check's answer, or neither. */
typedef void watcher_told(void *arg);

/* rest: how long news may gather in the kernel after some came, ms. */
struct watcher *watcher_new(uv_loop_t *loop, struct tree *take_tree, int64_t rest, watcher_told *told,
                            void *arg);
struct watcher *watcher_free(struct watcher *w); /* takes NULL, returns NULL; nothing is told any more */
void watcher_set_newer(struct watcher *w, int64_t newer);

bool watcher_is_busy(const struct watcher *w); /* then only the next two may be asked */
uint64_t watcher_hits(const struct watcher *w);
struct tree_state watcher_state(const struct watcher *w); /* as of the last work */

const struct changes *watcher_changes(const struct watcher *w);
void watcher_forget_changes(struct watcher *w);
void watcher_check(struct watcher *w); /* are the changed files other ones now? */
enum watcher_answer { WATCHER_NONE, WATCHER_SAME, WATCHER_DIFFERS };
enum watcher_answer watcher_take_answer(struct watcher *w); /* of the last check, once */
void watcher_write(const struct watcher *w, struct json_out *j);
