/* Without ppoll(2) a signal may come between the opened mask and poll(2): no wait is longer than LOOK_MS, so
 * it is noticed after that at the latest. (pselect(2) has no such gap, but does not tell that nobody reads a
 * pipe.) */
#include "os/poll.h"

#include <errno.h>
#include <stddef.h>

enum { LOOK_MS = 250 };

int os_poll(struct pollfd *p, nfds_t n, int timeout_ms, const sigset_t *waiting)
{
    sigset_t was;
    pthread_sigmask(SIG_SETMASK, waiting, &was);
    int r = poll(p, n, timeout_ms < 0 || timeout_ms > LOOK_MS ? LOOK_MS : timeout_ms);
    int why = errno;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    errno = why;
    return r;
}
