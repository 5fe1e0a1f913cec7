/* src/os/unixsock.h: UNIX stream sockets named by folder and file, however long the folder's path is. */
#pragma once
#include "base/err.h"

/* Close-on-exec descriptors, or -1 with e filled (e->sys has the errno). */
must_check int os_unix_connect(const char *dir, const char *name, struct err *e); /* blocking */
/* Replaces a stale socket file; mode 0600; non-blocking. The caller holds the home's lock. */
must_check int os_unix_listen(const char *dir, const char *name, int backlog, struct err *e);
