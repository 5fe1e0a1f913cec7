/* src/os/poll.h: waiting for descriptors and for a signal at once. */
#pragma once
#include <poll.h>
#include <signal.h>

/* poll(2) with `waiting` as the signal mask while it lasts; timeout_ms -1 is for ever. It may return 0 before
 * its time. */
int os_poll(struct pollfd *p, nfds_t n, int timeout_ms, const sigset_t *waiting);
