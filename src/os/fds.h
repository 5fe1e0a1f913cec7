/* src/os/fds.h: descriptors as a whole: their limit, and those a parent left open. */
#pragma once

/* Raises the soft RLIMIT_NOFILE to the hard one; returns the soft limit as it was (apps get that back). */
long os_fds_raise_limit(void);
void os_fds_close_from(int lowest);
int os_fd_keep_on_exec(int fd); /* clears close-on-exec; 0 or -1 */
