#include "os/lowly.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not the very last: on a machine that is never idle it would never be done. */
enum { NICE = 10, IOPRIO_WHO_PROCESS = 1, IOPRIO_LOWEST = 2 << 13 | 7 };

/* Not fsync: that commits the file system's journal, and a rename of the pump's waits for it (measured: 77
 * ms). Once the data is written, its length and a rename reach the journal in this order. */
int os_write_out(int fd)
{
    return sync_file_range(fd, 0, 0,
                           SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

void os_prompt(void)
{
    enum { RESET_ON_FORK = 1, TURN_NS = 100 * 1000 }; /* the shortest there is; usual are some ms */
    /* struct sched_attr: glibc has it since 2.41 in a header that Linux's own cannot be included with. */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attr = { .size = sizeof(attr) };
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) < 0 || attr.policy != SCHED_OTHER)
        return; /* somebody has decided otherwise */
    attr.runtime = TURN_NS;
    attr.flags |= RESET_ON_FORK; /* threads that this one starts are others */
    syscall(SYS_sched_setattr, 0, &attr, 0);
}

void os_lowly(void)
{
    pid_t thread = (pid_t)syscall(SYS_gettid);
    setpriority(PRIO_PROCESS, (id_t)thread, NICE);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, thread, IOPRIO_LOWEST);
}
