/* src/os/sock.h: sockets of this machine and pipes, close-on-exec from their first moment where the system
 * can (elsewhere from their second: nobody may fork in between), and messages on them that raise no SIGPIPE.
 */
#pragma once
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/def.h"

/* AF_UNIX; type is SOCK_STREAM or SOCK_DGRAM. A descriptor, or -1 with errno. */
int os_sock_new(int type, bool nonblocking);
int os_sock_pair(int type, bool nonblocking, int out[2]); /* 0 or -1, and so the others */
int os_pipe(int out[2]);                                  /* out[0] is read, out[1] is written; both block */

/* A pair that keeps the bounds of messages, non-blocking, with up to `room` bytes of buffer. Where the system
 * has none that also tells when the other end is gone, os/<system>/sock.c says what is lost. */
int os_sock_packets(int room, int out[2]);

/* One message, without waiting; EINTR is not seen. -1 and EAGAIN: the other side is behind, or has said
 * nothing. Received descriptors are close-on-exec. */
ssize_t os_sock_send(int sock, const struct msghdr *m);
ssize_t os_sock_receive(int sock, struct msghdr *m);
