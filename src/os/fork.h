/* src/os/fork.h: a child that execs at once. */
#pragma once
#include <sys/types.h>

/* Calls body(arg) in a child; body ends in exec or _exit. On Linux the child runs on our memory until then,
 * while we wait (vfork(2)): it must change nothing that we will look at. The child's pid, or -1 with errno.
 */
pid_t os_fork(void (*body)(void *arg), void *arg);
