/* src/logs/transit.h: the one place where bytes are between a pipe and a file, and what is needed to get them
 * out again: a pipe and a page of memory that the keeper holds too.
 *
 * Raw bytes of a busy app go pipe -> transit pipe -> file: moving them from pipe to pipe takes a moment,
 * while splice(2) to a file keeps the app's pipe locked, and the app waiting, for as long as the file takes
 * (measured: 2.0 instead of 0.9 GB/s). The page says whose they are, so the next daemon writes them before
 * all else.
 *
 * Formatted lines are peeked at (tee), formatted and written; only then are they taken out of the app's pipe.
 * That is two steps, so the page says: these bytes of that pipe are being written at this place of the file.
 * They are taken into the transit pipe, and not simply read, because the next daemon sees by it which step it
 * was: nothing in it, and the file is cut back to that place; else the rest is taken as well. */
#pragma once
#include "base/text.h"

enum { TRANSIT_FDS = 3 };
/* The descriptors, for the keeper and for transit_new(). 0; -1: not on this system, or errno. */
int transit_make(int fds[TRANSIT_FDS]);

struct transit;
struct transit *transit_new(const int fds[TRANSIT_FDS]); /* fds stay the caller's; NULL and errno */
struct transit *transit_free(struct transit *t);

/* What the daemon before us was doing. */
enum transit_phase { TRANSIT_NONE, TRANSIT_RAW, TRANSIT_LINES };
struct transit_left {
    enum transit_phase phase;
    uint64_t stream;
    int64_t offset; /* TRANSIT_LINES: of the file, where writing began */
    size_t bytes;   /* ... and how many of the pipe it was */
    int taken;      /* bytes in the transit pipe */
};
struct transit_left transit_look(const struct transit *t);
void transit_clear(struct transit *t); /* nothing is under way; what is in the pipe is forgotten */

/* Raw: takes up to `most` bytes; they are then read from the returned pipe end, all of them, by the caller:
 * the pipe is shared, and what stays in it would end up in another stream's file. */
ssize_t transit_take(struct transit *t, uint64_t stream, int pipe_fd, size_t most);
int transit_end(const struct transit *t);
/* What the caller could not bring anywhere is forgotten. Bytes. */
size_t transit_forget(struct transit *t);

/* Lines: before the file is written; after it was. transit_commit takes the bytes out of the pipe, or what is
 * left of them: the next daemon may go on with it. */
void transit_begin(struct transit *t, uint64_t stream, int64_t offset, size_t bytes);
void transit_commit(struct transit *t, int pipe_fd);
void transit_undo(struct transit *t); /* the file could not be written, and is as it was */
