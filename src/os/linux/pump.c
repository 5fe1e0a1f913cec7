#include "os/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

int os_pump_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    return fcntl(fds[0], F_SETFL, O_NONBLOCK); /* our end alone: the app's must block when it is full */
}

/* Some files cannot be spliced to (a tty, procfs): read what fits and write it. What was read and cannot be
 * written is lost: such a file keeps no promise anyway. */
static ssize_t copy(int pipe_fd, int file_fd, size_t most, bool *file_failed)
{
    char block[16384];
    ssize_t n = read(pipe_fd, block, MIN(most, sizeof(block)));
    for (ssize_t done = 0; done < n;) {
        ssize_t w = write(file_fd, block + done, (size_t)(n - done));
        if (w < 0 && errno != EINTR) {
            *file_failed = true;
            return n;
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
    /* EAGAIN is the pipe's, which is empty; or that of a FIFO which is full. (Whether the pipe is empty
     * cannot be asked: somebody may have written since.) */
    struct pollfd p = { .fd = file_fd, .events = POLLOUT };
    *file_failed = why != EAGAIN || (*offset < 0 && poll(&p, 1, 0) == 0);
    errno = why;
    return -1;
}

ssize_t os_pump_shift(int from, int to, size_t most)
{
    ssize_t n;
    while ((n = splice(from, NULL, to, NULL, most, SPLICE_F_NONBLOCK | SPLICE_F_MOVE)) < 0 && errno == EINTR)
        ;
    return n;
}

/* tee(2): the pages are shared for a moment, and read from the scratch pipe. */
ssize_t os_pump_peek(const int scratch[2], int pipe_fd, char *out, size_t most)
{
    ssize_t n, done = 0;
    while ((n = tee(pipe_fd, scratch[1], most, SPLICE_F_NONBLOCK)) < 0 && errno == EINTR)
        ;
    while (done < n) {
        ssize_t r = read(scratch[0], out + done, (size_t)(n - done));
        if (r < 0 && errno != EINTR)
            return -1;
        done += r > 0 ? r : 0;
    }
    return n;
}

ssize_t os_pump_drop(int pipe_fd, size_t most)
{
    char block[16384];
    return read(pipe_fd, block, MIN(most, sizeof(block)));
}

/* Not by read(2): another reader may be quicker, and the pipe's O_NONBLOCK is not ours to set. */
void os_pump_discard(int pipe_fd)
{
    int left = 0, null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    ssize_t n = 1;
    for (os_pump_waiting(pipe_fd, &left); null >= 0 && left > 0 && n > 0; left -= (int)n)
        n = splice(pipe_fd, NULL, null, NULL, (size_t)left, SPLICE_F_NONBLOCK);
    if (null >= 0)
        close(null);
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
