#include "os/unixsock.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/sock.h"
#include "os/sockname.h"

int os_unix_connect(const char *dir, const char *name, struct err *e)
{
    own_fd dir_fd = -1;
    struct sockaddr_un addr;
    if (os_sockname(dir, name, &addr, &dir_fd, e) < 0)
        return -1;
    own_fd fd = os_sock_new(SOCK_STREAM, false);
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
    if (os_sockname(dir, name, &addr, &dir_fd, e) < 0)
        return -1;
    own_fd fd = os_sock_new(SOCK_STREAM, true);
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
