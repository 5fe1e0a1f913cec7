#include "os/groups.h"

#include <grp.h>
#include <unistd.h>

size_t os_groups(const char *user, gid_t group, gid_t *out, size_t most)
{
    int n = (int)most;
    return getgrouplist(user, group, out, &n) < 0 ? most : (size_t)n;
}

int os_become_user(const char *user, uid_t uid, gid_t gid)
{
    return initgroups(user, gid) < 0 || setgid(gid) < 0 || setuid(uid) < 0 ? -1 : 0;
}
