#include "os/exec.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ; /* NOLINT(readability-redundant-declaration): not in every system's headers */

int os_exec_open(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC);
}

int os_exec_open_self(void)
{
    return os_exec_open("/proc/self/exe");
}

static bool is_named(int fd, const char *path)
{
    struct stat file, named;
    return stat(path, &named) == 0 && fstat(fd, &file) == 0 && file.st_ino == named.st_ino &&
           file.st_dev == named.st_dev;
}

int os_exec(int fd, const char *path, char *const *argv)
{
    return fd < 0 || is_named(fd, path) ? execv(path, argv) : fexecve(fd, argv, environ);
}

void os_exec_name(const char *name)
{
    prctl(PR_SET_NAME, name);
}
