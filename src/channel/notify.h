/* src/channel/notify.h: sd_notify(3) for any language: a datagram socket, its address in $NOTIFY_SOCKET. One
 * is shared by all apps of a home (and one by those of other users); an instance with wait_ready has its own,
 * which says whose message it is when its sender has exited by the time it is read. The kernel tells who sent
 * (os/peer.h). The keeper keeps the sockets, so no message is lost while velosd is replaced. */
#pragma once
#include <sys/types.h>

#include "base/text.h"
#include "os/peer.h"

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
char *notify_address_of_instance(const char *home, const char *nonce, long long id, bool other_user);

/* The socket bound to it, close-on-exec, non-blocking. */
must_check int notify_open(const char *address, struct err *e);

/* One datagram: 1 and its sender; 0 when none is there. */
int notify_receive(int fd, struct notice *out, struct os_peer *sender);
void notify_discard(int fd); /* all that is there */
