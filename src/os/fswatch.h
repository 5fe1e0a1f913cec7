/* src/os/fswatch.h: tells what changes in folders. Not in those below them: who wants a tree watches each of
 * its folders. A watch belongs to the folder, not to its name. */
#pragma once
#include <stdbool.h>

/* A descriptor, readable when there is something to tell, close-on-exec, non-blocking; -1 with errno: refused
 * (EMFILE: os_fswatch_limit() says more), or not on this system (ENOTSUP). */
int os_fswatch_new(void);

/* The watch's number, the same for the same folder; -1 with errno: ENOSPC, no more of them are to be had. */
int os_fswatch_add(int fd, const char *folder);
void os_fswatch_drop(int fd, int watch); /* one that went by itself: no harm */

enum os_fswatch_what {
    OS_FSWATCH_CHANGED = 1, /* a file was written to */
    OS_FSWATCH_CLOSED = 2,  /* a file that was open for writing was closed, or its dates or rights changed */
    OS_FSWATCH_CAME = 4,    /* something has this name now: made, or moved here */
    OS_FSWATCH_WENT = 8,    /* ... or had: deleted, or moved away */
    OS_FSWATCH_FOLDER = 16, /* what came or went is a folder */
    OS_FSWATCH_GONE = 32,   /* the watch itself: its folder is no more */
    OS_FSWATCH_LOST = 64,   /* news were lost: look at everything */
};
struct os_fswatch_news {
    int watch;
    unsigned what;
    const char *name; /* or NULL */
};
typedef void os_fswatch_told(void *arg, const struct os_fswatch_news *news);
void os_fswatch_read(int fd, os_fswatch_told *told, void *arg); /* what there is, without waiting */

/* Which limit stands behind an errno of new or add, and how it is raised: "fs.inotify.max_user_watches is
 * 8192: sysctl ..."; out holds OS_FSWATCH_LIMIT bytes. */
enum { OS_FSWATCH_LIMIT = 160 };
const char *os_fswatch_limit(int error, char out[OS_FSWATCH_LIMIT]);

/* A file system on which others change files without this machine being told: NFS and the like. */
bool os_fswatch_is_remote(const char *path);

/* /proc and the like, and the root: not for watching. */
bool os_fswatch_is_absurd(const char *path);
