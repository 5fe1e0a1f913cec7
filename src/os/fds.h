/* src/os/fds.h: descriptors as a whole: their limit, and those a parent left open. */
#pragma once

/* Raises the soft RLIMIT_NOFILE to the hard one; returns the soft limit as it was (apps get that back). */
long os_fds_raise_limit(void);

/* Makes room for n descriptors in the kernel's table, before a second thread is there: from then on Linux
 * waits for a grace period each time the table doubles (synchronize_rcu() in expand_fdtable(), fs/file.c), 10
 * to 20 ms. */
void os_fds_reserve(int n);
long os_fds_limit(void);     /* the soft one now */
enum { OS_FDS_CLIENTS = 8 }; /* clients may have one in so many */
long os_fds_open(void);      /* how many are open; -1: not known */
void os_fds_close_from(int lowest);
int os_fd_keep_on_exec(int fd); /* clears close-on-exec; 0 or -1 */
