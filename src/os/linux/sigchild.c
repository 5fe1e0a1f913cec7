/* signalfd(2): no handler runs, nothing is written to a pipe and read back. SIGCHLD stays blocked; a child's
 * mask is set at its birth (os/spawn.h). */
#include "os/sigchild.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int os_sigchild_open(void)
{
    sigset_t it;
    sigemptyset(&it);
    sigaddset(&it, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &it, NULL) < 0)
        return -1;
    return signalfd(-1, &it, SFD_CLOEXEC | SFD_NONBLOCK);
}

void os_sigchild_drain(int fd)
{
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof(info)) > 0) {
    }
}
