#include "os/lowly.h"

#include <fcntl.h>
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

void os_lowly(void)
{
    pid_t thread = (pid_t)syscall(SYS_gettid);
    setpriority(PRIO_PROCESS, (id_t)thread, NICE);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, thread, IOPRIO_LOWEST);
}
