/* There is no identity that applies to files only, or not to a single thread (macOS: pthread_setugid_np(3) is
 * private). Root refuses rather than handle another user's files with its own rights. */
#include "os/fsid.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int os_fsid_enter(const struct os_fsid *id, struct err *e)
{
    if (geteuid() != 0 || id->uid == 0)
        return 0;
    errno = ENOTSUP;
    return err_sys(e, "this system cannot handle files as uid %d in a daemon of root", (int)id->uid);
}

void os_fsid_leave(void)
{
}

int os_fsid_open_dir(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool os_fsid_is_made_up(int fd)
{
    return false;
}
