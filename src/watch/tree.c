#include "watch/tree_parts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "os/filetime.h"

/* Nodes ------------------------------------------------------------------------------------------------ */

struct node *node_new(struct tree *t, struct node *parent, const char *name)
{
    size_t n = strlen(name) + 1;
    struct node *it = xcalloc(1, sizeof(*it) + n);
    memcpy(it->name, name, n);
    it->watch = -1;
    it->parent = parent;
    if (parent) {
        it->next = parent->child;
        if (it->next)
            it->next->prev = it;
        parent->child = it;
    }
    t->folders++;
    return it;
}

/* Its name is another folder's now, or nobody's. */
static void disarm(struct tree *t, struct node *n)
{
    int watch = n->watch;
    n->watch = -1;
    if (watch < 0 || map_get(&t->by_watch, (uint64_t)watch + 1) != n)
        return;
    map_remove(&t->by_watch, (uint64_t)watch + 1);
    tree_drop_watch(t, watch);
}

void node_free(struct tree *t, struct node *n)
{
    if (!n)
        return;
    while (n->child)
        node_free(t, n->child);
    disarm(t, n);
    if (n->prev)
        n->prev->next = n->next;
    else if (n->parent)
        n->parent->child = n->next;
    if (n->next)
        n->next->prev = n->prev;
    t->folders--;
    t->polled -= n->polled;
    free(n);
}

void node_path(const struct node *n, struct buf *out)
{
    if (n->parent) {
        node_path(n->parent, out);
        buf_addc(out, '/');
    }
    buf_adds(out, n->name);
}

static const char *root_path_of(const struct node *n)
{
    while (n->parent)
        n = n->parent;
    return n->name;
}

static struct node *find_child(const struct node *n, const char *name)
{
    for (struct node *c = n->child; c; c = c->next)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

void tree_drop_watch(struct tree *t, int watch)
{
    if (t->fd < 0 || watch < 0 || map_get(&t->by_watch, (uint64_t)watch + 1))
        return;
    for (size_t i = 0; i < t->n_anchors; i++)
        if (t->anchors[i].watch == watch)
            return;
    os_fswatch_drop(t->fd, watch);
}

/* What is told ---------------------------------------------------------------------------------------------
 */

void tree_set_problem(struct tree *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (!t->problem[0])
        vsnprintf(t->problem, sizeof(t->problem), fmt, ap);
    va_end(ap);
}

void tree_changed(struct tree *t, const char *path)
{
    changes_add(&t->changes, path);
}

/* A date of tomorrow is no news. */
void tree_changed_if_newer(struct tree *t, const char *path, int64_t grace)
{
    struct stat st;
    if (!t->newer || stat(path, &st) < 0 || S_ISDIR(st.st_mode))
        return;
    int64_t date = os_filetime_ns(&st) / 1000000;
    if (date > t->newer - grace && date <= time_wall_ms() + 1000)
        tree_changed(t, path);
}

static void note_ignored(struct tree *t, const char *path, const char *rule)
{
    if (t->n_ignored < IGNORED_LISTED) {
        t->ignored[t->n_ignored].path = xstrdup(path);
        t->ignored[t->n_ignored].rule = rule;
    }
    t->n_ignored++;
}

/* Scanning ----------------------------------------------------------------------------------------------- */

static void say_unarmed(struct tree *t, const struct node *n, const char *path)
{
    char limit[OS_FSWATCH_LIMIT];
    if (n->remote)
        tree_set_problem(t, "%s is on a file system that does not tell what others change in it", path);
    else if (errno == ENOSPC)
        tree_set_problem(t, "no more watches: %s", os_fswatch_limit(ENOSPC, limit));
    else if (errno != ENOENT && errno != ENOTDIR && errno != ENOTSUP)
        tree_set_problem(t, "%s: %s", path, strerror(errno));
}

/* No watch to be had is a reason to look from time to time. */
static void arm(struct tree *t, struct node *n, const char *path)
{
    n->remote = n->parent ? n->parent->remote : os_fswatch_is_remote(path);
    errno = ENOTSUP;
    int watch = t->fd >= 0 && !n->remote ? os_fswatch_add(t->fd, path) : -1;
    bool polled = watch < 0 && (errno == ENOSPC || errno == ENOTSUP || errno == ENOMEM);
    if (watch < 0)
        say_unarmed(t, n, path);
    if (watch != n->watch)
        disarm(t, n);
    t->polled = t->polled + polled - n->polled;
    n->polled = polled;
    n->watch = watch;
    if (watch < 0)
        return;
    struct node *had = map_get(&t->by_watch, (uint64_t)watch + 1);
    if (had && had != n)
        had->watch = -1; /* it was moved here, and we are ahead of that news */
    map_put(&t->by_watch, (uint64_t)watch + 1, n);
}

/* A folder's names, read at once: scanning what is below must not hold it open. */
struct listing {
    struct entry {
        char *name;
        unsigned char type;
    } * items;
    size_t n;
};

static bool list_folder(const char *path, struct listing *out)
{
    DIR *d = opendir(path);
    size_t cap = 0;
    *out = (struct listing){ 0 };
    if (!d)
        return false;
    for (const struct dirent *f; (f = readdir(d));) {
        if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0)
            continue;
        if (out->n == cap)
            out->items = xrealloc(out->items, (cap = cap ? cap * 2 : 16) * sizeof(*out->items));
        out->items[out->n++] = (struct entry){ xstrdup(f->d_name), f->d_type };
    }
    closedir(d);
    return true;
}

static void listing_done(struct listing *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->items[i].name);
    free(l->items);
}

static unsigned char type_of(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return DT_UNKNOWN;
    return S_ISDIR(st.st_mode)   ? DT_DIR
           : S_ISLNK(st.st_mode) ? DT_LNK
           : S_ISREG(st.st_mode) ? DT_REG
                                 : DT_SOCK;
}

/* Sockets, pipes and devices come and go with those who use them. False: not one of them. */
static bool set_special(struct tree *t, const char *path, unsigned char type)
{
    if (type == DT_REG || type == DT_LNK || type == DT_DIR || type == DT_UNKNOWN)
        return false;
    map_put(&t->special, changes_hash(path, strlen(path), 0), t);
    return true;
}

static void found_file(struct tree *t, const char *path, unsigned char type, enum scan_kind kind)
{
    if (set_special(t, path, type))
        return;
    if (type == DT_LNK)
        link_add(t, path);
    if (kind == SCAN_CAME)
        tree_changed(t, path);
    else if (kind == SCAN_FIRST)
        tree_changed_if_newer(t, path, 0);
    if (t->content && kind != SCAN_CAME)
        content_remember(t, path, kind != SCAN_FIRST);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct node *const *)a)->name, (*(struct node *const *)b)->name);
}

static int is_named(const void *name, const void *node)
{
    return strcmp(name, (*(struct node *const *)node)->name);
}

/* The children there were, sorted, to find again those that are still there. */
static struct node **known_children(const struct node *n, size_t *count)
{
    *count = 0;
    for (struct node *c = n->child; c; c = c->next) {
        c->met = false;
        ++*count;
    }
    struct node **all = *count ? xcalloc(*count, sizeof(struct node *)) : NULL;
    size_t i = 0;
    for (struct node *c = n->child; c; c = c->next)
        all[i++] = c;
    if (all)
        qsort(all, *count, sizeof(*all), by_name);
    return all;
}

/* Files count, folders become children. Children that are not met go. */
static void take_listing(struct tree *t, struct node *n, const struct listing *l, struct buf *path,
                         enum scan_kind kind)
{
    const char *root = root_path_of(n);
    size_t folder = path->len, count;
    struct node **known = known_children(n, &count);
    for (size_t i = 0; i < l->n; i++) {
        const struct entry *e = &l->items[i];
        buf_addf(path, "/%s", e->name);
        unsigned char type = e->type == DT_UNKNOWN ? type_of(path->data) : e->type;
        const char *rule = rules_ignore(t->rules, root, path->data, type == DT_DIR);
        if (rule && kind == SCAN_LOOKED) {
            ; /* noted when it was scanned */
        } else if (rule) {
            note_ignored(t, path->data, rule);
        } else if (type == DT_DIR) {
            struct node **had = known ? bsearch(e->name, known, count, sizeof(*known), is_named) : NULL;
            (had ? *had : node_new(t, n, e->name))->met = true;
        } else {
            found_file(t, path->data, type, kind);
        }
        path->len = folder;
        path->data[folder] = '\0';
    }
    for (size_t i = 0; known && i < count; i++)
        if (known && !known[i]->met)
            node_free(t, known[i]);
    free(known);
}

/* Of a polled folder: all that a change in it would change, and its newest file, for people. */
static uint64_t look_at(struct tree *t, const char *root, const struct listing *l, struct buf *path,
                        char **newest)
{
    uint64_t look = 1;
    int64_t latest = 0;
    size_t folder = path->len;
    for (size_t i = 0; i < l->n; i++) {
        struct stat st;
        buf_addf(path, "/%s", l->items[i].name);
        if (stat(path->data, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
            !rules_ignore(t->rules, root, path->data, S_ISDIR(st.st_mode))) {
            int64_t date = os_filetime_ns(&st) / 1000000;
            uint64_t what[3] = { (uint64_t)st.st_ino, (uint64_t)st.st_size, (uint64_t)os_filetime_ns(&st) };
            uint64_t name = changes_hash(path->data, path->len, 0);
            look += S_ISDIR(st.st_mode) ? name : changes_hash(what, sizeof(what), name); /* in any order */
            if (!S_ISDIR(st.st_mode) && newest && date > latest) {
                latest = date;
                free(*newest);
                *newest = xstrdup(path->data);
            }
        }
        path->len = folder;
        path->data[folder] = '\0';
    }
    return look ? look : 1;
}

void tree_scan(struct tree *t, struct node *n, enum scan_kind kind)
{
    own_buf path = { 0 };
    struct listing l;
    if (atomic_load(&t->leave))
        return;
    node_path(n, &path);
    arm(t, n, path.data);
    if (!list_folder(path.data, &l))
        return; /* gone again, which is told, or not ours to read */
    if (n->polled)
        n->look = look_at(t, root_path_of(n), &l, &path, NULL);
    take_listing(t, n, &l, &path, kind);
    listing_done(&l);
    buf_done(&path);
    for (struct node *c = n->child, *next; c; c = next) {
        next = c->next;
        tree_scan(t, c, kind);
    }
}

/* News --------------------------------------------------------------------------------------------------- */

static void folder_came(struct tree *t, struct node *n, const char *name)
{
    struct node *child = find_child(n, name);
    tree_scan(t, child ? child : node_new(t, n, name), SCAN_CAME);
}

static void file_told(struct tree *t, const char *path, unsigned what)
{
    uint64_t key = changes_hash(path, strlen(path), 0);
    if (what & OS_FSWATCH_CAME) {
        unsigned char type = type_of(path);
        if (set_special(t, path, type))
            return;
        map_remove(&t->special, key);
        if (type == DT_LNK)
            link_add(t, path);
    } else if (map_get(&t->special, key)) {
        return;
    }
    if (what & OS_FSWATCH_WENT)
        link_drop(t, path);
    if (what & (OS_FSWATCH_CAME | OS_FSWATCH_WENT | OS_FSWATCH_CHANGED))
        tree_changed(t, path);
    else if (what & OS_FSWATCH_CLOSED)
        tree_changed_if_newer(t, path, TREE_TICK_MS);
}

static void folder_told(struct tree *t, struct node *n, const char *path, const struct os_fswatch_news *news)
{
    if (!(news->what & (OS_FSWATCH_CAME | OS_FSWATCH_WENT)))
        return;
    tree_changed(t, path);
    t->changes.sure |= (news->what & OS_FSWATCH_WENT) != 0; /* what was in it is not asked file by file */
    if (news->what & OS_FSWATCH_CAME) {
        folder_came(t, n, news->name);
        return;
    }
    link_drop(t, path);
    node_free(t, find_child(n, news->name));
}

static void watch_gone(struct tree *t, struct node *n)
{
    map_remove(&t->by_watch, (uint64_t)n->watch + 1);
    n->watch = -1;
    if (n->parent) {
        node_free(t, n);
        return;
    }
    for (size_t i = 0; i < t->n_roots; i++)
        if (t->roots[i].top == n)
            t->roots[i].unsettled = true;
}

static void forget_ignored(struct tree *t)
{
    for (size_t i = 0; i < MIN(t->n_ignored, (size_t)IGNORED_LISTED); i++)
        text_free(&t->ignored[i].path);
    t->n_ignored = 0;
}

static void lost(struct tree *t)
{
    forget_ignored(t);
    t->changes.sure = true;
    for (size_t i = 0; i < t->n_roots; i++) {
        struct root *r = &t->roots[i];
        r->unsettled = true;
        if (r->top)
            tree_scan(t, r->top, SCAN_AGAIN);
        tree_changed(t, r->path);
    }
}

static void on_news(void *arg, const struct os_fswatch_news *news)
{
    struct tree *t = arg;
    if (news->what & OS_FSWATCH_LOST) {
        lost(t);
        return;
    }
    struct node *n = map_get(&t->by_watch, (uint64_t)news->watch + 1);
    if (n && news->what & OS_FSWATCH_GONE)
        watch_gone(t, n);
    else if (n && news->name) {
        own_buf path = { 0 };
        bool folder = news->what & OS_FSWATCH_FOLDER;
        node_path(n, &path);
        buf_addf(&path, "/%s", news->name);
        if (rules_ignore(t->rules, root_path_of(n), path.data, folder))
            ;
        else if (folder)
            folder_told(t, n, path.data, news);
        else
            file_told(t, path.data, news->what);
    }
    if (t->n_anchors)
        anchors_told(t, news);
}

static void settle(struct tree *t)
{
    for (size_t i = 0; i < t->n_roots; i++)
        if (t->roots[i].unsettled)
            root_settle(t, &t->roots[i], false);
}

void tree_read(struct tree *t)
{
    if (t->fd >= 0)
        os_fswatch_read(t->fd, on_news, t);
    settle(t);
}

/* Looking from time to time
 * ---------------------------------------------------------------------------------- */

static void poll_listing(struct tree *t, struct node *n, struct buf *path, const struct listing *l)
{
    own_text newest = NULL;
    uint64_t look = look_at(t, root_path_of(n), l, path, &newest);
    if (look == n->look)
        return;
    n->look = look;
    tree_changed(t, newest ? newest : path->data);
    t->changes.sure = true;
    take_listing(t, n, l, path, SCAN_LOOKED);
    for (struct node *c = n->child; c; c = c->next)
        if (c->watch < 0 && !c->look)
            tree_scan(t, c, SCAN_CAME);
}

static void poll_node(struct tree *t, struct node *n)
{
    own_buf path = { 0 };
    struct listing l;
    if (atomic_load(&t->leave))
        return;
    if (n->polled) {
        node_path(n, &path);
        if (list_folder(path.data, &l)) {
            poll_listing(t, n, &path, &l);
            listing_done(&l);
        }
    }
    for (struct node *c = n->child, *next; c; c = next) {
        next = c->next;
        poll_node(t, c);
    }
}

/* Watches may be had again: the first that is refused ends the asking. */
static bool rearm(struct tree *t, struct node *n)
{
    own_buf path = { 0 };
    if (n->polled) {
        node_path(n, &path);
        arm(t, n, path.data);
        if (n->polled)
            return false;
    }
    for (struct node *c = n->child; c; c = c->next)
        if (!rearm(t, c))
            return false;
    return true;
}

void tree_poll(struct tree *t)
{
    bool all = true;
    for (size_t i = 0; i < t->n_roots; i++) {
        struct root *r = &t->roots[i];
        if (r->top) {
            poll_node(t, r->top);
            all = t->fd >= 0 && rearm(t, r->top) && all;
        }
    }
    anchors_poll(t);
    settle(t);
    if (all && !t->polled && !anchors_polled(t))
        t->problem[0] = '\0';
}

/* Beginning and end
 * -------------------------------------------------------------------------------------------- */

struct tree *tree_new(const struct tree_spec *s)
{
    struct tree *t = xnew(struct tree);
    char limit[OS_FSWATCH_LIMIT];
    t->rules = s->take_rules;
    t->content = t->changes.keep = s->content;
    t->n_roots = strv_len(s->roots);
    t->roots = xcalloc(t->n_roots, sizeof(*t->roots));
    for (size_t i = 0; i < t->n_roots; i++)
        t->roots[i].path = xstrdup(s->roots[i]);
    t->fd = os_fswatch_new();
    if (t->fd < 0)
        tree_set_problem(t, "no watches: %s", os_fswatch_limit(errno, limit));
    return t;
}

void tree_open(struct tree *t)
{
    for (size_t i = 0; i < t->n_roots; i++)
        root_settle(t, &t->roots[i], true);
}

struct tree *tree_free(struct tree *t)
{
    if (!t)
        return NULL;
    fd_done(&t->fd); /* with all its watches */
    t->fd = -1;
    for (size_t i = 0; i < t->n_roots; i++) {
        node_free(t, t->roots[i].top);
        free(t->roots[i].path);
    }
    anchors_free(t);
    forget_ignored(t);
    free(t->roots);
    map_done(&t->by_watch);
    map_done(&t->special);
    map_done(&t->contents);
    changes_done(&t->changes);
    rules_free(t->rules);
    free(t);
    return NULL;
}

const char *tree_root(const struct tree *t, size_t i)
{
    return i < t->n_roots ? t->roots[i].path : NULL;
}

int tree_fd(const struct tree *t)
{
    return t->fd;
}

atomic_bool *tree_leave(struct tree *t)
{
    return &t->leave;
}

struct changes *tree_changes(struct tree *t)
{
    return &t->changes;
}

void tree_set_newer(struct tree *t, int64_t newer)
{
    t->newer = newer;
}
