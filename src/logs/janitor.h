/* src/logs/janitor.h: a third thread, of low priority, from when there is something to do until a second
 * after: compresses archives, and closes deleted files, since whoever closes one last waits for its blocks to
 * be freed. */
#pragma once
#include <sys/types.h>

#include "logs/place.h"

struct janitor;

/* An archive was compressed: the pump's thread puts it in its place. */
struct janitor_done {
    char *path; /* of the log, where its name leads ... */
    char *name; /* ... and that, to which the rights apply */
    struct rights *rights;
    int fd;      /* the archive as it was: while it is open nobody else has its inode */
    ino_t is;    /* of names_part(), the compressed one */
    bool failed; /* or there was none */
};

/* `wake` is called from the janitor's thread when something is done. */
struct janitor *janitor_new(void (*wake)(void *arg), void *arg);
struct janitor *janitor_free(struct janitor *j); /* what it has begun is given up */

void janitor_close(struct janitor *j, int take_fd);
/* The oldest archive of this log that is not compressed yet, if there is one. */
void janitor_compress(struct janitor *j, const char *path, const char *name, const struct rights *rights);
/* What is done; it goes on only after janitor_placed(), since the next one may have the same names. */
bool janitor_is_done(struct janitor *j, struct janitor_done *done);
void janitor_placed(struct janitor *j);
