/* src/keeper/keeper.h: the process that must not be missed, and therefore does almost nothing.
 *
 * It keeps entries (key -> descriptors) that velosd puts and deletes, the ledger (store/ledger.h) with all
 * texts among them; it reaps what falls to it and notes in the ledger how a child ended; it starts velosd
 * again when it dies and hands everything over. No policy: it does not know what an app is. libc only.
 *
 * A velosd that got up is started again from the very file it was started from, whatever has its name by now.
 * An update tries what has the name; if that does not get up, the one before it is started, and told so. Once
 * it is up the keeper becomes what has its own name, while velosd runs; should that crash, velosd takes its
 * place with the keeper's file of before.
 *
 * Three orders matter, and are kept below:
 * - A death is peeked at (WNOWAIT) and noted, then it is reaped: of a process that is gone from /proc, the
 *   ledger tells.
 * - A velosd that lives is told before that too: it may look for the process.
 * - After velosd's death its socket is read to the end before another one starts.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct keeper_options {
    const char *home;
    int ready_fd;  /* -1, or where the first velosd says "ok" or what went wrong */
    int resume_fd; /* -1, or a keep_file of entries: we were velosd, or an older keeper */
    long nofile;   /* the soft limit of descriptors as it was before ours was raised; 0: not raised yet */
    pid_t velosd;  /* our child, runs, and is at the other end of the entry "velosd"; 0: none runs */
    int velosd_fd; /* -1, or its socket: the first one, that was started together with us */
    bool foreground;
    const char *settings; /* for velosd, as JSON; or NULL. An entry, so that every velosd finds it */
    bool resurrect;       /* the first velosd starts the saved apps; an entry too: it may die on the way */
};

/* Runs until told BYE; the exit status. */
int keeper_run(const struct keeper_options *o);
