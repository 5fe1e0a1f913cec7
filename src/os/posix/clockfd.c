/* Not supported: who waits for the wall clock looks at it from time to time. */
#include "os/clockfd.h"

#include <errno.h>

int os_clockfd_new(void)
{
    errno = ENOTSUP;
    return -1;
}

bool os_clockfd_set(int fd, int64_t wall_ms)
{
    return false;
}

bool os_clockfd_read(int fd)
{
    return false;
}
