/* src/os/sockname.h: the address of a socket in a folder, for os/posix/unixsock.c. */
#pragma once
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

/* Fills addr; *dir_fd, if it is given one, must stay open until the address was used. */
must_check int os_sockname(const char *dir, const char *name, struct sockaddr_un *addr, int *dir_fd,
                           struct err *e);
