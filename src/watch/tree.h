/* src/watch/tree.h: what is watched for one app: folders with all below them, files, paths that are not there
 * yet. No loop and no thread of its own: whoever owns it at the moment calls it, and it may take its time.
 *
 * Every folder that no rule ignores has a watch of the kernel's; a folder is listed after its watch is there,
 * so what is made meanwhile is seen twice and never not at all. A root is watched from above as well: the
 * folder it lies in tells when it comes, goes or is replaced, and so does each folder that holds a link on
 * its way. Where watches are not to be had, folders are looked at from time to time (tree_poll). */
#pragma once
#include <stdatomic.h>

#include "watch/changes.h"
#include "watch/rules.h"

struct tree_spec {
    char *const *roots;       /* absolute */
    struct rules *take_rules; /* the tree's from here on */
    bool content;             /* remember what is in the files: tree_differs() */
};

struct tree;
struct tree *tree_new(const struct tree_spec *s);
struct tree *tree_free(struct tree *t);
const char *tree_root(const struct tree *t, size_t i); /* NULL: there are no more */
int tree_fd(const struct tree *t);                     /* readable: tree_read(); -1: only tree_poll() tells */
atomic_bool *tree_leave(struct tree *t);      /* set it to have a call that takes long come back soon */
struct changes *tree_changes(struct tree *t); /* what was found, for the caller to clear */

/* Files whose date is behind this (wall ms) have changed since the app was started; 0: none have. It decides
 * about files that are found and about those whose dates or rights were touched. */
void tree_set_newer(struct tree *t, int64_t newer);

void tree_open(struct tree *t); /* the first look at everything */
void tree_read(struct tree *t); /* the news of the kernel */
void tree_poll(struct tree *t); /* what has no watch */

/* Of a tree that remembers contents: is any of the changed files another one now? They are remembered as they
 * are. */
bool tree_differs(struct tree *t);

struct tree_state {
    size_t folders, polled; /* watched; of them, those that are looked at from time to time */
    const char *problem;    /* for people, or NULL */
};
struct tree_state tree_state(const struct tree *t);
void tree_write(const struct tree *t, struct json_out *j); /* members: roots, ignored, recent ... */
