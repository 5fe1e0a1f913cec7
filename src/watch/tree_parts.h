/* src/watch/tree_parts.h: the inside of a tree, for tree.c, tree_roots.c and tree_write.c. */
#pragma once
#include <sys/stat.h>

#include "os/fswatch.h"
#include "watch/tree.h"

struct node { /* a watched folder */
    struct node *parent, *child, *prev, *next;
    uint64_t look; /* of a polled one: a hash of what was in it */
    int watch;     /* -1: none */
    bool polled, remote, met;
    char name[]; /* of a root: its path */
};

enum root_state { ROOT_UNKNOWN, ROOT_ABSENT, ROOT_FOLDER, ROOT_FILE, ROOT_REFUSED };
struct root {
    char *path;
    enum root_state state;
    struct stat is;   /* what it was when it was looked at */
    struct node *top; /* of a folder */
    bool unsettled;   /* something on its way came or went */
};

/* A name in a folder that matters, though the folder as a whole does not. */
struct anchor {
    enum {
        ANCHOR_WAY,
        ANCHOR_LINK
    } kind;    /* on the way to a root; of a file that a link in the tree points to */
    int watch; /* -1: none, it is looked at */
    char *folder, *name;
    char *link;        /* ANCHOR_LINK: the link's path, which is told */
    struct root *root; /* ANCHOR_WAY */
    bool last;         /* ... and it is the root itself */
    struct stat is;    /* ANCHOR_LINK: the file, when it was looked at */
};

enum { TREE_TICK_MS = 10 }; /* dates are those of the kernel's last tick */
enum { IGNORED_LISTED = 100, LINKS_MOST = 1000 };
struct tree {
    int fd;
    struct rules *rules;
    bool content;
    atomic_bool leave;
    struct root *roots;
    size_t n_roots;
    struct anchor *anchors;
    size_t n_anchors;
    struct map by_watch; /* watch + 1 -> node */
    struct map special;  /* hashes of paths: sockets and the like, which do not count */
    struct map contents; /* hash of path -> hash of content, as a pointer */
    struct changes changes;
    int64_t newer;
    size_t folders, polled;
    char problem[256];
    struct {
        char *path;
        const char *rule;
    } ignored[IGNORED_LISTED];
    size_t n_ignored;
};

enum scan_kind {
    SCAN_FIRST,  /* only what is newer than the app counts */
    SCAN_CAME,   /* all of it is new */
    SCAN_AGAIN,  /* news were lost, or a root was replaced: something has changed anyway */
    SCAN_LOOKED, /* a polled folder is not what it was, which is told already */
};

/* tree.c */
void tree_scan(struct tree *t, struct node *n, enum scan_kind kind);
struct node *node_new(struct tree *t, struct node *parent, const char *name);
void node_free(struct tree *t, struct node *n); /* with all below it */
void node_path(const struct node *n, struct buf *out);
void tree_changed(struct tree *t, const char *path);
/* Its date is behind t->newer, or less than grace (ms) before it. */
void tree_changed_if_newer(struct tree *t, const char *path, int64_t grace);
void tree_drop_watch(struct tree *t, int watch); /* unless somebody else needs it */
void tree_set_problem(struct tree *t, const char *fmt, ...) printf_like(2, 3);

/* tree_roots.c */
void root_settle(struct tree *t, struct root *r, bool first);
void link_add(struct tree *t, const char *link);
void link_drop(struct tree *t, const char *link); /* itself and those below it */
void anchors_told(struct tree *t, const struct os_fswatch_news *news);
void anchors_poll(struct tree *t);
size_t anchors_polled(const struct tree *t); /* how many have no watch */
void anchors_free(struct tree *t);

/* tree_content.c */
void content_remember(struct tree *t, const char *path, bool compare);
