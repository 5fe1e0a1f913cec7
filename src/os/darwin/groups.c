/* Compiled in CI, not run there. Apple's getgrouplist(3) takes int for gid_t. */
#include "os/groups.h"

#include <unistd.h>

size_t os_groups(const char *user, gid_t group, gid_t *out, size_t most)
{
    int n = (int)most;
    return getgrouplist(user, (int)group, (int *)out, &n) < 0 ? most : (size_t)n;
}
