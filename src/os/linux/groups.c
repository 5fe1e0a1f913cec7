#include "os/groups.h"

#include <grp.h>
#include <unistd.h>

size_t os_groups(const char *user, gid_t group, gid_t *out, size_t most)
{
    int n = (int)most;
    return getgrouplist(user, group, out, &n) < 0 ? most : (size_t)n;
}
