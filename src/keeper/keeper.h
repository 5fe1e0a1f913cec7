/* src/keeper/keeper.h: the process that must not be missed, and therefore does almost nothing.
 *
 * It keeps entries (key -> text and descriptors) that velosd puts and deletes; it reaps what falls to it and
 * remembers the wait status beside the entry of that pid; it starts velosd again when it dies and hands
 * everything over. No policy: it does not know what an app is. libc only.
 *
 * Four orders matter, and are kept below:
 * - A death is peeked at (WNOWAIT), then the sockets are read, then it is reaped: what a child told about
 *   itself before it died is known when its death is.
 * - After velosd's death its socket is read to the end. The end comes when the last child that was between
 *   fork and exec has closed its copy, so no child is ever born behind the hand-over's back. A child that
 *   hangs there (a dead network disk) is waited for two seconds; what it says later is passed on.
 * - Its news goes out before it is reaped: of a process that is gone from /proc, velosd has been told.
 * - A wait status stays with its entry until velosd replaces the entry by one about another pid, so a velosd
 *   that dies while it digests the news leaves the news to the next. */
#pragma once
#include <stdbool.h>

struct keeper_options {
    const char *home;
    int ready_fd;  /* -1, or where the first velosd says "ok" or what went wrong */
    int resume_fd; /* -1, or a keep_file of entries: we were velosd, or an older keeper */
    long nofile;   /* the soft limit of descriptors as it was before ours was raised; 0: not raised yet */
    bool foreground;
};

/* Runs until told BYE; the exit status. */
int keeper_run(const struct keeper_options *o);
