/* Compiled in CI, not run there. Of a connection the peer is known (getpeereid(3)); a datagram carries no
 * sender here, and LOCAL_PEERPID asks a connected socket: so there is no NOTIFY_SOCKET on macOS, for a word
 * that anybody might have said is worth nothing. */
#include "os/peer.h"

#include <errno.h>
#include <unistd.h>

int os_peer_uid(int fd, uid_t *uid)
{
    gid_t gid;
    return getpeereid(fd, uid, &gid);
}

int os_peer_name_senders(int fd)
{
    errno = ENOTSUP;
    return -1;
}

ssize_t os_peer_receive(int fd, void *out, size_t most, struct os_peer *sender)
{
    *sender = (struct os_peer){ 0 };
    errno = ENOTSUP;
    return -1;
}
