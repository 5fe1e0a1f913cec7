/* sun_path holds 108 bytes and a home may be deeper. A longer path is reached through /proc/self/fd/N of the
 * folder, so no chdir(2) that other threads would feel. */
#include "os/sockname.h"

#include <fcntl.h>
#include <stdio.h>

int os_sockname(const char *dir, const char *name, struct sockaddr_un *addr, int *dir_fd, struct err *e)
{
    addr->sun_family = AF_UNIX;
    int n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%s", dir, name);
    if (n > 0 && (size_t)n < sizeof(addr->sun_path))
        return 0;
    *dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fd < 0)
        return err_sys(e, "%s", dir);
    snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s", *dir_fd, name);
    return 0;
}
