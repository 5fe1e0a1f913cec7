/* src/os/stall.h: which process keeps one of our threads waiting at a pipe. An operation on a pipe waits,
 * uninterruptibly, for whoever has its lock, and splice(2) has that for as long as nothing comes from the
 * other end (Linux, pipe_lock(); so have others that stop at a page of userfaultfd or FUSE). Where the system
 * does not tell, both answer 0. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/def.h"

int os_thread_id(void); /* of the calling thread */

int os_queue(void); /* how many threads want each processor just now; at least 1 */

enum { OS_PIPE_NAME = 256 };
struct os_pipe_name { /* of a pipe or FIFO, as /proc/PID/fd has it */
    char text[OS_PIPE_NAME];
};
bool os_pipe_name(int fd, struct os_pipe_name *out); /* false: it is neither */

/* The pipes that a thread of ours is at, if its system call works on pipes alone (else it may be a disk). At
 * most two. */
size_t os_stall_pipes(int thread, struct os_pipe_name out[2]);

struct os_holder {
    pid_t pid;
    uint64_t start;
    uid_t uid; /* real; -1: not known */
    enum os_holder_rank {
        OS_HOLDER_SURE, /* sleeps in a splice(2) between the pipe and something that is none, or the like */
        OS_HOLDER_LIKE, /* sleeps in another call on the pipe: it may only wait for room or bytes */
        OS_HOLDER_OPEN, /* has the pipe open */
    } rank;
};
/* Looks at all threads of all processes but us, for a bounded time: a call that did not get to the end goes
 * on there the next time. Those of rank OPEN only when `open` is set. Returns how many were found, `most` at
 * most; each process once. */
size_t os_stall_holders(const struct os_pipe_name *pipe, bool open, struct os_holder *out, size_t most);
