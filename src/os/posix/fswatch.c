/* Not supported: who asks looks at the files from time to time, or when libuv hints at it. (kqueue's
 * EVFILT_VNODE wants a descriptor for every file; FSEvents tells of trees, which libuv passes on:
 * watch/watcher.c.) */
#include "os/fswatch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int os_fswatch_new(void)
{
    errno = ENOTSUP;
    return -1;
}

int os_fswatch_add(int fd, const char *folder)
{
    errno = ENOTSUP;
    return -1;
}

void os_fswatch_drop(int fd, int watch)
{
}

void os_fswatch_read(int fd, os_fswatch_told *told, void *arg)
{
}

const char *os_fswatch_limit(int error, char out[OS_FSWATCH_LIMIT])
{
    snprintf(out, OS_FSWATCH_LIMIT, "this system does not tell of changes in a way velos knows");
    return out;
}

bool os_fswatch_is_remote(const char *path)
{
    return false;
}

bool os_fswatch_is_absurd(const char *path)
{
    return strcmp(path, "/") == 0 || strcmp(path, "/dev") == 0 || strncmp(path, "/dev/", 5) == 0;
}
