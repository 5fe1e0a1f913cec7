/* A handler that writes to a pipe. */
#include "os/sigchild.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "os/sock.h"

static int ends[2] = { -1, -1 };

static void on_signal(int sig)
{
    int saved = errno;
    if (write(ends[1], "c", 1) < 0) {
        /* full: readable already */
    }
    errno = saved;
}

int os_sigchild_open(void)
{
    struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_NOCLDSTOP };
    if (os_pipe(ends) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
    sigemptyset(&sa.sa_mask);
    return sigaction(SIGCHLD, &sa, NULL) < 0 ? -1 : ends[0];
}

void os_sigchild_drain(int fd)
{
    char some[64];
    while (read(fd, some, sizeof(some)) > 0) {
    }
}
