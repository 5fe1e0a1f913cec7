/* A path that sun_path does not hold has no other name here: bind(2) from within the folder would need a
 * chdir(2) that other threads feel. */
#include "os/sockname.h"

#include <stdio.h>
#include <string.h>

int os_sockname(const char *dir, const char *name, struct sockaddr_un *addr, int *dir_fd, struct err *e)
{
    memset(addr, 0, sizeof(*addr));
    addr->sun_family = AF_UNIX;
    int n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%s", dir, name);
    if (n > 0 && (size_t)n < sizeof(addr->sun_path))
        return 0;
    err_set(e, ERR_FAILED, "%s/%s: longer than the %zu bytes of a socket's name", dir, name,
            sizeof(addr->sun_path) - 1);
    return err_hint(e, "name a shorter home in VELOS_HOME");
}
