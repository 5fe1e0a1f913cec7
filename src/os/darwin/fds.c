/* Compiled in CI, not run there. */
#include "os/fds.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/sysctl.h>
#include <unistd.h>

/* The hard limit may be "unlimited", which setrlimit(2) refuses: the kernel's own bound is what can be had.
 */
static rlim_t most_fds(rlim_t hard)
{
    int bound = 0;
    size_t len = sizeof(bound);
    if (sysctlbyname("kern.maxfilesperproc", &bound, &len, NULL, 0) < 0 || bound <= 0)
        bound = OPEN_MAX;
    return hard < (rlim_t)bound ? hard : (rlim_t)bound;
}

long os_fds_raise_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return 0;
    long was = r.rlim_cur > LONG_MAX ? LONG_MAX : (long)r.rlim_cur;
    r.rlim_cur = most_fds(r.rlim_max);
    setrlimit(RLIMIT_NOFILE, &r);
    return was;
}

void os_fds_reserve(int n)
{
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
    DIR *dir = opendir("/dev/fd");
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
    int most = getdtablesize();
    for (int fd = lowest; fd < most; fd++)
        close(fd);
}

int os_fd_keep_on_exec(int fd)
{
    return fcntl(fd, F_SETFD, 0);
}
