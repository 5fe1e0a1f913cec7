#include "os/filetime.h"

int64_t os_filetime_ns(const struct stat *st)
{
    return (int64_t)st->st_mtimespec.tv_sec * 1000000000 + st->st_mtimespec.tv_nsec;
}

int os_filetime_copy(int fd, const struct stat *from)
{
    const struct timespec times[2] = { from->st_atimespec, from->st_mtimespec };
    return futimens(fd, times);
}
