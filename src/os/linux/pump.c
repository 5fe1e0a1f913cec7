#include "os/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Some files cannot be spliced to (a tty, procfs): read what fits and write it. What was read and cannot be
 * written is lost to this process alone: such a file keeps no promise anyway. */
static ssize_t copy(int pipe_fd, int file_fd, size_t most, bool *file_failed)
{
    char block[16384];
    ssize_t n = read(pipe_fd, block, MIN(most, sizeof(block)));
    for (ssize_t done = 0; done < n;) {
        ssize_t w = write(file_fd, block + done, (size_t)(n - done));
        if (w < 0 && errno != EINTR) {
            *file_failed = true;
            return -1;
        }
        done += w > 0 ? w : 0;
    }
    return n;
}

ssize_t os_pump(int pipe_fd, int file_fd, int64_t *offset, size_t most, bool *file_failed)
{
    *file_failed = false;
    loff_t at = *offset;
    ssize_t n =
        splice(pipe_fd, NULL, file_fd, *offset < 0 ? NULL : &at, most, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (n >= 0) {
        if (*offset >= 0)
            *offset = at;
        return n;
    }
    int why = errno;
    if (why == EINTR)
        return os_pump(pipe_fd, file_fd, offset, most, file_failed);
    if (why == EINVAL)
        return copy(pipe_fd, file_fd, most, file_failed);
    /* EAGAIN may be the pipe's (empty) or the file's (a full FIFO): only the first is the end of work. */
    struct pollfd p = { .fd = pipe_fd, .events = POLLIN };
    *file_failed = why != EAGAIN || (poll(&p, 1, 0) > 0 && (p.revents & POLLIN));
    errno = why;
    return -1;
}

ssize_t os_pump_drop(int pipe_fd, size_t most)
{
    char block[16384];
    return read(pipe_fd, block, MIN(most, sizeof(block)));
}

bool os_pump_waiting(int pipe_fd, int *bytes)
{
    return ioctl(pipe_fd, FIONREAD, bytes) == 0;
}

int os_pump_size(int pipe_fd)
{
    return fcntl(pipe_fd, F_GETPIPE_SZ);
}

void os_pump_grow(int pipe_fd, int bytes)
{
    if (fcntl(pipe_fd, F_SETPIPE_SZ, bytes) < 0) {
        /* over the user's share of pipe memory: the pipe works as it is */
    }
}
