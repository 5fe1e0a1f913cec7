#include "os/fds.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

long os_fds_raise_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return 0;
    long was = (long)r.rlim_cur;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    return was;
}

void os_fds_reserve(int n)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return;
    int highest = r.rlim_cur < (rlim_t)n ? (int)r.rlim_cur - 1 : n - 1;
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, highest);
    if (fd >= 0)
        close(fd); /* the table stays as large as it was once */
}

void os_fds_close_from(int lowest)
{
    if (syscall(SYS_close_range, (unsigned)lowest, ~0U, 0) == 0)
        return;
    long most = sysconf(_SC_OPEN_MAX);
    for (int fd = lowest; fd < most; fd++)
        close(fd);
}

int os_fd_keep_on_exec(int fd)
{
    return fcntl(fd, F_SETFD, 0);
}
