#include "os/lowly.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Beside one busy thread 10 gets 1/10 of a processor, 19 gets 1/70 (sched_prio_to_weight in
 * kernel/sched/core.c): measured, four archives were compressed in 4 and in 23 s. */
static const int nice_of[] = { [OS_LOW] = 10, [OS_LOWEST] = 19 };

enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_LOWEST = 2 << 13 | 7 };

/* Not fsync: that commits the file system's journal, and a rename of the pump's waits for it (measured: 77
 * ms). Once the data is written, its length and a rename reach the journal in this order. */
int os_write_out(int fd)
{
    return sync_file_range(fd, 0, 0,
                           SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

void os_lowly(enum os_lowly how)
{
    pid_t thread = (pid_t)syscall(SYS_gettid);
    setpriority(PRIO_PROCESS, (id_t)thread, nice_of[how]);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, thread, IOPRIO_LOWEST);
}
