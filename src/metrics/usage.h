/* src/metrics/usage.h: processor time between two looks at a set of processes, and what they hold of memory.
 * Pure: processes in, numbers out. */
#pragma once
#include "os/procstat.h"

struct usage_seen { /* one process at the last look */
    pid_t pid;
    uint64_t start, cpu;
};
struct usage {
    struct usage_seen *seen; /* of the last look, by pid */
    unsigned n, processes;
    int64_t at;     /* mono ms of the last look; 0: none yet */
    double percent; /* of one processor, over the last interval; < 0: not known before the second look */
    uint64_t memory;
    uint64_t main_memory;
};

/* A look: `processes` are those of the instance now, alive, in any order. A process that is new since the
 * last look has used all its time within the interval; the last moments of one that is gone are not seen. */
void usage_look(struct usage *u, const struct proc_info *const *processes, size_t n, pid_t main_pid,
                int64_t now, long ticks_per_second);
void usage_forget(struct usage *u); /* the life is over */
