/* src/channel/notify.h: sd_notify(3) for any language: a datagram socket for all apps of a home (one more
 * for those of other users), its address in $NOTIFY_SOCKET. The kernel tells who sent (os/peer.h). The socket
 * is kept by the keeper, so words said while velosd is replaced are not lost. */
#pragma once
#include <sys/types.h>

#include "base/text.h"

enum { NOTIFY_MOST = 4096, NOTIFY_STATUS_MOST = 128 };

struct notice {
    bool ready, stopping;
    bool has_status;
    char status[NOTIFY_STATUS_MOST]; /* STATUS=, cut to what fits, control characters replaced */
};

/* Lines of VARIABLE=value; what we do not know is ignored. */
void notice_parse(const char *text, size_t n, struct notice *out);

/* What apps get, owned by the caller: a path, or an abstract name ("@...") where the home's path is too long
 * for a socket, or for apps of users who have no way into the home. */
char *notify_address(const char *home, const char *nonce);
char *notify_address_of_users(const char *nonce);

/* The socket bound to it, close-on-exec, non-blocking. */
must_check int notify_open(const char *address, struct err *e);

/* One datagram: 1 and who sent it; 0 when none is there. Without credentials it is dropped. */
int notify_receive(int fd, struct notice *out, pid_t *sender);
