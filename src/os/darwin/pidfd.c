/* Compiled in CI, not run there. A kqueue(2) of its own for each process, with one EVFILT_PROC in it: like a
 * pidfd it is readable once the process has ended. Unlike one it cannot be sent to another process, and how
 * the process ended is told to its parent alone: elsewhere the status stays unknown. */
#include "os/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/event.h>
#include <unistd.h>

static int add(int queue, pid_t pid, unsigned facts)
{
    struct kevent ev;
    EV_SET(&ev, (uintptr_t)pid, EVFILT_PROC, EV_ADD, facts, 0, NULL);
    return kevent(queue, &ev, 1, NULL, 0, NULL);
}

int os_pidfd_open(pid_t pid)
{
    own_fd queue = kqueue();
    if (queue < 0 || fcntl(queue, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    int r = add(queue, pid, NOTE_EXIT | NOTE_EXITSTATUS);
    if (r < 0 && errno != ESRCH) /* EACCES: not our child */
        r = add(queue, pid, NOTE_EXIT);
    return r < 0 ? -1 : steal_fd(queue);
}

bool os_pidfd_status(int pidfd, int *status)
{
    struct kevent ev;
    struct timespec at_once = { 0 };
    if (kevent(pidfd, NULL, 0, &ev, 1, &at_once) != 1 || !(ev.fflags & NOTE_EXITSTATUS))
        return false;
    *status = (int)ev.data;
    return true;
}

bool os_pidfd_travels(void)
{
    return false;
}
