/* Compiled in CI, not run there. */
#include "os/account.h"

#include <pwd.h>
#include <unistd.h>

#include "base/mem.h"

static int take(const struct passwd *pw, struct account *out)
{
    if (!pw)
        return -1;
    *out = (struct account){ xstrdup(pw->pw_name), xstrdup(pw->pw_dir), pw->pw_uid, pw->pw_gid };
    return 0;
}

int account_named(const char *name, struct account *out)
{
    return take(getpwnam(name), out);
}

int account_of(uid_t uid, struct account *out)
{
    return take(getpwuid(uid), out);
}

int account_become(const struct account *a)
{
    return initgroups(a->name, (int)a->gid) < 0 || setgid(a->gid) < 0 || setuid(a->uid) < 0 ? -1 : 0;
}
