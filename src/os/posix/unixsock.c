/* sun_path holds 108 bytes and a home may be deeper. A longer path is reached through /proc/self/fd/N of the
 * folder where there is such a thing, so no chdir(2) that other threads would feel. */
#include "os/unixsock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Fills addr; *dir_fd must stay open until the address was used. */
static int address(const char *dir, const char *name, struct sockaddr_un *addr, int *dir_fd, struct err *e)
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

int os_unix_connect(const char *dir, const char *name, struct err *e)
{
    own_fd dir_fd = -1;
    struct sockaddr_un addr;
    if (address(dir, name, &addr, &dir_fd, e) < 0)
        return -1;
    own_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return err_sys(e, "connect to %s/%s", dir, name);
    return steal_fd(fd);
}

int os_unix_listen(const char *dir, const char *name, int backlog, struct err *e)
{
    own_fd dir_fd = -1;
    struct sockaddr_un addr;
    if (address(dir, name, &addr, &dir_fd, e) < 0)
        return -1;
    own_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    if (unlink(addr.sun_path) < 0 && errno != ENOENT)
        return err_sys(e, "remove stale %s/%s", dir, name);
    mode_t was = umask(0177);
    int r = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
    umask(was);
    if (r < 0 || listen(fd, backlog) < 0)
        return err_sys(e, "listen on %s/%s", dir, name);
    return steal_fd(fd);
}
