/* src/os/proctag.h: a number that a process passes on to everything it starts, and that none of them can
 * change: what remains when a process has left its session, lost its parent, cleared its environment and made
 * itself undumpable.
 *
 * Linux keeps it in two hard resource limits that limit nothing: RLIMIT_LOCKS has not been enforced since
 * 2.4.25, and RLIMIT_RTTIME becomes thousands of years. Limits are inherited by fork, clone and exec, and
 * everybody may read them in /proc/PID/limits, where reading an environment takes rights that a container's
 * root does not have. One limit holds the number, the other one its complement: a hard limit can only be
 * lowered (without CAP_SYS_RESOURCE), so a process can lose its tag but never take another's. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/def.h"

enum { PROCTAG_BITS = 60 };

/* In a child, before exec: async-signal-safe. 0 is no tag. Limits that somebody has set already stay. */
void os_proctag_take(uint64_t tag);

/* Whether this hard limit is half of a tag: who passes limits on from one process to another leaves it out,
 * or the one would be taken for the other. Async-signal-safe. */
bool os_proctag_is_part(uint64_t hard_limit);

/* The tag of a process; 0: none, or there is no such process. */
uint64_t os_proctag_read(pid_t pid);
