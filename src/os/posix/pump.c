/* By read(2) and write(2): the bytes stop in our memory, so what was read and cannot be written is lost (a
 * full disk), and so is what a SIGKILL finds in between. Where there is splice(2) neither happens. The pipe
 * is a pair of sockets, which can be peeked into. */
#include "os/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIPE_USUAL = 64 << 10 };

int os_pump_pipe(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return -1;
    shutdown(fds[0], SHUT_WR);
    for (int i = 0; i < 2; i++)
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    return fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

static ssize_t put(int fd, const char *bytes, size_t n, const int64_t *offset)
{
    return *offset < 0 ? write(fd, bytes, n) : pwrite(fd, bytes, n, (off_t)*offset);
}

ssize_t os_pump(int pipe_fd, int file_fd, int64_t *offset, size_t most, bool *file_failed)
{
    char block[16384];
    *file_failed = false;
    ssize_t n;
    do
        n = read(pipe_fd, block, MIN(most, sizeof(block)));
    while (n < 0 && errno == EINTR);
    for (ssize_t done = 0; done < n;) {
        ssize_t w = put(file_fd, block + done, (size_t)(n - done), offset);
        if (w < 0 && errno != EINTR) {
            *file_failed = true;
            return n;
        }
        if (w > 0) {
            done += w;
            *offset += *offset < 0 ? 0 : w;
        }
    }
    return n;
}

ssize_t os_pump_shift(int from, int to, size_t most)
{
    errno = ENOSYS;
    return -1;
}

ssize_t os_pump_peek(const int scratch[2], int pipe_fd, char *out, size_t most)
{
    return recv(pipe_fd, out, most, MSG_PEEK | MSG_DONTWAIT);
}

ssize_t os_pump_drop(int pipe_fd, size_t most)
{
    char block[16384];
    return read(pipe_fd, block, MIN(most, sizeof(block)));
}

void os_pump_discard(int pipe_fd)
{
    int left = 0, flags = fcntl(pipe_fd, F_GETFL);
    ssize_t n = 1;
    fcntl(pipe_fd, F_SETFL, flags | O_NONBLOCK);
    for (os_pump_waiting(pipe_fd, &left); left > 0 && n > 0; left -= (int)n)
        n = os_pump_drop(pipe_fd, (size_t)left);
    fcntl(pipe_fd, F_SETFL, flags);
}

bool os_pump_waiting(int pipe_fd, int *bytes)
{
    return ioctl(pipe_fd, FIONREAD, bytes) == 0;
}

int os_pump_size(int pipe_fd)
{
    return PIPE_USUAL;
}

void os_pump_grow(int pipe_fd, int bytes)
{
}
