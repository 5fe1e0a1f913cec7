/* Not supported: who asks looks at the files from time to time. (kqueue's EVFILT_VNODE would tell that a
 * folder changed, not by which name.) */
#include "os/filewatch.h"

#include <errno.h>

int os_filewatch_new(void)
{
    errno = ENOTSUP;
    return -1;
}

int os_filewatch_file(int fd, const char *path)
{
    return -1;
}

int os_filewatch_folder(int fd, const char *path)
{
    return -1;
}

void os_filewatch_drop(int fd, int watch)
{
}

void os_filewatch_read(int fd, os_filewatch_told *told, void *arg)
{
}
