#include "os/poll.h"

#include <stddef.h>

int os_poll(struct pollfd *p, nfds_t n, int timeout_ms, const sigset_t *waiting)
{
    struct timespec t = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L };
    return ppoll(p, n, timeout_ms < 0 ? NULL : &t, waiting);
}
