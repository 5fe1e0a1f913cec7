#include "base/fault.h"

#ifdef VELOS_FAULTS
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void fault_point(const char *name)
{
    char path[512];
    int saved = errno;
    const char *folder = getenv("VELOS_FAULTS");
    if (!folder)
        return;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (unlink(path) == 0) {
        kill(getpid(), SIGKILL);
        for (;;) /* another thread's: it takes us at the next system call at the latest */
            pause();
    }
    snprintf(path, sizeof(path), "%s/seen.%s", folder, name);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    errno = saved;
}
#endif
