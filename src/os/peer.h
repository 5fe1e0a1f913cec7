/* src/os/peer.h: who is at the other end of a UNIX socket, as the kernel knows it. */
#pragma once
#include <sys/types.h>

int os_peer_uid(int fd, uid_t *uid); /* 0, or -1 with errno */
