#include "os/fds.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

long os_fds_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return 0;
    return r.rlim_cur > LONG_MAX ? LONG_MAX : (long)r.rlim_cur;
}

long os_fds_open(void)
{
    struct stat st; /* Linux 6.2 tells by the size */
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (long)st.st_size;
    DIR *dir = opendir("/proc/self/fd");
    long n = -1; /* its own */
    if (!dir)
        return -1;
    for (struct dirent *d; (d = readdir(dir));)
        n += d->d_name[0] != '.';
    closedir(dir);
    return n;
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
