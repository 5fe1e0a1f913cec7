/* The roots of a tree, and names in other folders that matter to it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "os/filetime.h"
#include "watch/tree_parts.h"

/* Anchors ------------------------------------------------------------------------------------------------ */

static void anchor_done(struct anchor *a)
{
    free(a->folder);
    free(a->name);
    free(a->link);
}

static struct anchor *anchor_add(struct tree *t, const char *folder, const char *name)
{
    char limit[OS_FSWATCH_LIMIT];
    t->anchors = xrealloc(t->anchors, (t->n_anchors + 1) * sizeof(*t->anchors));
    struct anchor *a = &t->anchors[t->n_anchors++];
    *a = (struct anchor){ .folder = xstrdup(folder), .name = xstrdup(name), .watch = -1 };
    if (t->fd < 0 || os_fswatch_is_remote(folder))
        return a;
    a->watch = os_fswatch_add(t->fd, folder);
    if (a->watch < 0 && errno == ENOSPC)
        tree_set_problem(t, "no more watches: %s", os_fswatch_limit(ENOSPC, limit));
    return a;
}

static void anchor_remove(struct tree *t, size_t i)
{
    struct anchor gone = t->anchors[i];
    t->anchors[i] = t->anchors[--t->n_anchors];
    tree_drop_watch(t, gone.watch);
    anchor_done(&gone);
}

void anchors_free(struct tree *t)
{
    for (size_t i = 0; i < t->n_anchors; i++)
        anchor_done(&t->anchors[i]);
    free(t->anchors);
    t->anchors = NULL;
    t->n_anchors = 0;
}

size_t anchors_polled(const struct tree *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_anchors; i++)
        n += t->anchors[i].watch < 0;
    return n;
}

/* Links to files in the tree --------------------------------------------------------------------------------
 */

static struct anchor *find_link(struct tree *t, const char *link)
{
    for (size_t i = 0; i < t->n_anchors; i++)
        if (t->anchors[i].kind == ANCHOR_LINK && strcmp(t->anchors[i].link, link) == 0)
            return &t->anchors[i];
    return NULL;
}

/* Folders that links point to are not followed: they may lead anywhere, and round in circles. */
void link_add(struct tree *t, const char *link)
{
    struct stat st;
    if (stat(link, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    char *real = realpath(link, NULL);
    struct anchor *had = find_link(t, link);
    if (real && had)
        anchor_remove(t, (size_t)(had - t->anchors));
    if (real && t->n_anchors < LINKS_MOST) {
        own_text folder = path_dir(real);
        struct anchor *a = anchor_add(t, folder, path_base(real));
        a->kind = ANCHOR_LINK;
        a->link = xstrdup(link);
        a->is = st;
    } else if (real) {
        tree_set_problem(t, "more than %d links to files: the files behind the others are not watched",
                         LINKS_MOST);
    }
    free(real);
}

void link_drop(struct tree *t, const char *link)
{
    size_t n = strlen(link);
    for (size_t i = t->n_anchors; i-- > 0;) {
        const char *its = t->anchors[i].link;
        if (its && strncmp(its, link, n) == 0 && (!its[n] || its[n] == '/'))
            anchor_remove(t, i);
    }
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           os_filetime_ns(a) == os_filetime_ns(b);
}

static void link_poll(struct tree *t, struct anchor *a)
{
    struct stat now = { 0 };
    if (stat(a->link, &now) < 0)
        now = (struct stat){ 0 };
    if (is_same_file(&now, &a->is))
        return;
    a->is = now;
    tree_changed(t, a->link);
}

/* Told
 * ------------------------------------------------------------------------------------------------------- */

static void file_told(struct tree *t, const char *path, unsigned what)
{
    if (what & (OS_FSWATCH_CHANGED | OS_FSWATCH_CAME | OS_FSWATCH_WENT))
        tree_changed(t, path);
    else if (what & OS_FSWATCH_CLOSED)
        tree_changed_if_newer(t, path, TREE_TICK_MS);
}

static void anchor_told(struct tree *t, struct anchor *a, unsigned what)
{
    if (a->kind == ANCHOR_LINK)
        file_told(t, a->link, what);
    else if (what & (OS_FSWATCH_CAME | OS_FSWATCH_WENT))
        a->root->unsettled = true;
    else if (a->last && a->root->state == ROOT_FILE)
        file_told(t, a->root->path, what);
}

void anchors_told(struct tree *t, const struct os_fswatch_news *news)
{
    for (size_t i = 0; i < t->n_anchors; i++) {
        struct anchor *a = &t->anchors[i];
        if (a->watch != news->watch)
            continue;
        if (news->what & OS_FSWATCH_GONE) {
            a->watch = -1;
            if (a->root)
                a->root->unsettled = true;
        } else if (news->name && strcmp(news->name, a->name) == 0) {
            anchor_told(t, a, news->what);
        }
    }
}

void anchors_poll(struct tree *t)
{
    for (size_t i = 0; i < t->n_anchors; i++)
        if (t->anchors[i].watch >= 0)
            ;
        else if (t->anchors[i].kind == ANCHOR_LINK)
            link_poll(t, &t->anchors[i]);
        else
            t->anchors[i].root->unsettled = true;
}

/* The way to a root -------------------------------------------------------------------------------------- */

static void way_anchor(struct tree *t, struct root *r, const char *folder, const char *name, bool last)
{
    struct anchor *a = anchor_add(t, folder, name);
    a->root = r;
    a->last = last;
}

/* Where a link leads, with what is behind it; NULL: it is none any more. */
static char *follow(const char *folder, const char *link, const char *rest)
{
    char target[4096];
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    if (n < 0)
        return NULL;
    target[n] = '\0';
    own_text whole = xasprintf("%s%s", target, rest);
    return path_absolute(folder, whole);
}

/* Name by name, each link followed: an anchor where the way could change, and where it ends. The path without
 * links; NULL: it ends before. */
static char *walk(struct tree *t, struct root *r, const char *path, int links)
{
    own_text folder = xstrdup("/");
    struct stat st;
    for (const char *at = path + 1; *at;) {
        size_t n = strcspn(at, "/");
        bool last = !at[n] || !at[n + 1];
        own_text name = xstrndup(at, n);
        own_text full = path_join(folder, name);
        bool there = lstat(full, &st) == 0;
        if (last || !there || S_ISLNK(st.st_mode)) {
            way_anchor(t, r, folder, name, last);
            there = lstat(full, &st) == 0; /* now that it would be told */
        }
        if (!there || (!last && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode)))
            return NULL;
        if (S_ISLNK(st.st_mode)) {
            own_text next = links < 40 ? follow(folder, full, at + n) : NULL;
            return next ? walk(t, r, next, links + 1) : NULL;
        }
        free(folder);
        folder = steal(full);
        at += n + (at[n] == '/');
    }
    return steal(folder);
}

/* What the root is now. */
static enum root_state look(struct tree *t, struct root *r, struct stat *st)
{
    own_text real = walk(t, r, r->path, 0);
    if (!real || stat(real, st) < 0)
        return ROOT_ABSENT;
    if (os_fswatch_is_absurd(real)) {
        tree_set_problem(t, "%s is not for watching", real);
        return ROOT_REFUSED;
    }
    return S_ISDIR(st->st_mode) ? ROOT_FOLDER : ROOT_FILE;
}

static bool is_as_it_was(const struct root *r, enum root_state state, const struct stat *st)
{
    if (state != r->state)
        return false;
    if (state == ROOT_FILE)
        return is_same_file(st, &r->is);
    if (state != ROOT_FOLDER)
        return true;
    return st->st_dev == r->is.st_dev && st->st_ino == r->is.st_ino && (r->top->watch >= 0 || r->top->polled);
}

static void take_up(struct tree *t, struct root *r, bool first)
{
    if (r->state == ROOT_FOLDER) {
        r->top = node_new(t, NULL, r->path);
        tree_scan(t, r->top, first ? SCAN_FIRST : SCAN_AGAIN);
    } else if (r->state == ROOT_FILE && first) {
        tree_changed_if_newer(t, r->path, 0);
        if (t->content)
            content_remember(t, r->path, false);
    }
}

/* The new anchors are there before the old ones go, so that no watch is dropped that is needed again. */
void root_settle(struct tree *t, struct root *r, bool first)
{
    struct stat st = { 0 };
    size_t had = t->n_anchors;
    r->unsettled = false;
    enum root_state state = look(t, r, &st);
    for (size_t i = had; i-- > 0;)
        if (t->anchors[i].root == r)
            anchor_remove(t, i);
    if (is_as_it_was(r, state, &st))
        return;
    if (!first) {
        tree_changed(t, r->path);
        t->changes.sure |= state != ROOT_FILE || r->state != ROOT_FILE;
    }
    node_free(t, r->top);
    r->top = NULL;
    r->state = state;
    r->is = st;
    take_up(t, r, first);
}
