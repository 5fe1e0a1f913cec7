/* src/os/exec.h: a program as a file that is open: it can still be executed when another one has taken its
 * name. */
#pragma once

int os_exec_open(const char *path); /* a descriptor, close-on-exec; -1 and errno */
int os_exec_open_self(void);        /* the running program's own */

/* Executes the file: by its path while that still names it (so that the process is called so), else as the
 * descriptor, where the system can (elsewhere: what has the name now). fd -1: the path. Returns -1 and errno.
 */
int os_exec(int fd, const char *path, char *const *argv);
void os_exec_name(
    const char *name); /* how this process is called in lists; for who was executed as a descriptor */
