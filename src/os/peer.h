/* src/os/peer.h: who is at the other end of a UNIX socket, as the kernel knows it. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

int os_peer_uid(int fd, uid_t *uid); /* 0, or -1 with errno */

/* From now on each datagram carries its sender. 0, or -1 with errno (ENOTSUP: not on this system). */
int os_peer_name_senders(int fd);

struct os_peer {
    bool known; /* false: the kernel told nothing */
    pid_t pid;  /* when it sent; 0: of a PID namespace that we cannot see into */
    uid_t uid;
};

/* One datagram, without waiting, cut to `most` bytes; descriptors that came with it are closed. Bytes, or -1
 * with errno. */
ssize_t os_peer_receive(int fd, void *out, size_t most, struct os_peer *sender);
