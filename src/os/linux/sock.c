#include "os/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int flags(bool nonblocking)
{
    return SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0);
}

int os_sock_new(int type, bool nonblocking)
{
    return socket(AF_UNIX, type | flags(nonblocking), 0);
}

int os_sock_pair(int type, bool nonblocking, int out[2])
{
    return socketpair(AF_UNIX, type | flags(nonblocking), 0, out);
}

int os_pipe(int out[2])
{
    return pipe2(out, O_CLOEXEC);
}

int os_sock_packets(int room, int out[2])
{
    if (os_sock_pair(SOCK_SEQPACKET, true, out) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (setsockopt(out[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
            setsockopt(out[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)); /* what the system allows */
    return 0;
}

ssize_t os_sock_send(int sock, const struct msghdr *m)
{
    ssize_t n;
    do
        n = sendmsg(sock, m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t os_sock_receive(int sock, struct msghdr *m)
{
    ssize_t n;
    do
        n = recvmsg(sock, m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n;
}
