/* Compiled in CI, not run there.
 *
 * There is no SOCK_CLOEXEC, pipe2(2) or MSG_CMSG_CLOEXEC: the flag is set behind the call, and a fork(2) of
 * another thread in between would leak the descriptor. velosd makes its sockets in the thread that forks.
 *
 * AF_UNIX has no SOCK_SEQPACKET, so packets go through a SOCK_DGRAM pair. Messages keep their bounds and
 * their order, none is dropped (a full receiver refuses), but:
 *  - the end of the other side is no end of file. What is told is one ECONNRESET, behind the last message; it
 *    comes when the last copy of the other descriptor is closed, and poll(2) need not wake up for it. The
 *    keeper knows of velosd's end by SIGCHLD besides; velosd learns of the keeper's at the next send.
 *  - a full receiver is ENOBUFS, told as EAGAIN here, while poll(2) may call the socket writable: who waits
 *    for POLLOUT then goes round until the other side has read. */
#include "os/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int prepare(int fd, bool nonblocking)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on)); /* MSG_NOSIGNAL is younger than some systems */
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return nonblocking ? fcntl(fd, F_SETFL, O_NONBLOCK) : 0;
}

static int prepare_both(int pair[2], bool nonblocking)
{
    if (prepare(pair[0], nonblocking) == 0 && prepare(pair[1], nonblocking) == 0)
        return 0;
    fd_done(&pair[0]);
    fd_done(&pair[1]);
    return -1;
}

int os_sock_new(int type, bool nonblocking)
{
    own_fd fd = socket(AF_UNIX, type, 0);
    if (fd < 0 || prepare(fd, nonblocking) < 0)
        return -1;
    return steal_fd(fd);
}

int os_sock_pair(int type, bool nonblocking, int out[2])
{
    return socketpair(AF_UNIX, type, 0, out) < 0 ? -1 : prepare_both(out, nonblocking);
}

int os_pipe(int out[2])
{
    if (pipe(out) < 0)
        return -1;
    if (fcntl(out[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(out[1], F_SETFD, FD_CLOEXEC) == 0)
        return 0;
    fd_done(&out[0]);
    fd_done(&out[1]);
    return -1;
}

/* The sender's buffer bounds one message, the receiver's how many may wait. */
int os_sock_packets(int room, int out[2])
{
    if (os_sock_pair(SOCK_DGRAM, true, out) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        setsockopt(out[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        setsockopt(out[i], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    }
    return 0;
}

ssize_t os_sock_send(int sock, const struct msghdr *m)
{
    ssize_t n;
    do
        n = sendmsg(sock, m, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == ENOBUFS)
        errno = EAGAIN;
    return n;
}

static void close_on_exec(const struct cmsghdr *c)
{
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

ssize_t os_sock_receive(int sock, struct msghdr *m)
{
    ssize_t n;
    do
        n = recvmsg(sock, m, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            close_on_exec(c);
    return n;
}
