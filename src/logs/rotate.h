/* src/logs/rotate.h: the archives of a log file: <file>.1 is the newest.
 *
 * A rotation moves each archive one number up, from the last to the first, and the file itself to 1. Killed
 * anywhere in between it leaves a gap, and the file where it was, still too large: whoever opens it rotates,
 * and that fills the gap first. So there is nothing to undo, and no note of what was under way. */
#pragma once
#include "logs/place.h"

struct rotate_rules {
    int64_t max; /* bytes; 0: never */
    int keep;    /* archives */
    bool compress;
};

/* What is deleted may be large, and its blocks are freed by whoever closes it last: that is given away. */
struct rotate_trash {
    void (*take)(void *arg, int take_fd);
    void *arg;
};

struct rotate {
    int count; /* archives without a gap, from 1 on; -1: not looked at yet */
};

/* Moves the log to its first archive; nothing stands under its name then. The oldest beyond `keep` go; *spare
 * is the inode of one whose index is still there, for the new file (marks_reuse), 0 if there is none. -1 and
 * errno: the log is still there. */
int rotate_run(const struct place *at, struct rotate *r, const struct rotate_rules *rules,
               const struct rotate_trash *trash, ino_t *spare);

/* Right after it: the newest archive is the log again. */
void rotate_undo(const struct place *at, struct rotate *r);

/* Deletes all archives and indexes; returns the bytes they took. */
int64_t rotate_delete_all(const struct place *at, struct rotate *r, const struct rotate_trash *trash);

/* The number of the archive that is not compressed yet and has this inode; 0: none. */
int rotate_find(const struct place *at, int keep, ino_t inode);
