#include "os/pidfd.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/uapi/linux/pidfd.h of Linux 6.15; Debian 12's headers are older than what may run below us. */
struct pidfd_info_ {
    uint64_t mask, cgroupid;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
    uint32_t coredump_mask, spare;
};
#define PIDFD_GET_INFO_  _IOWR(0xFF, 11, struct pidfd_info_)
#define PIDFD_INFO_EXIT_ (1UL << 3)

int os_pidfd_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by definition */
}

bool os_pidfd_status(int pidfd, int *status)
{
    struct pidfd_info_ info = { .mask = PIDFD_INFO_EXIT_ };
    if (ioctl(pidfd, PIDFD_GET_INFO_, &info) < 0 || !(info.mask & PIDFD_INFO_EXIT_))
        return false;
    *status = info.exit_code;
    return true;
}

bool os_pidfd_travels(void)
{
    return true;
}
