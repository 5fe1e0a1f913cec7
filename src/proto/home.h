/* src/proto/home.h: whether a home may be used. */
#pragma once
#include "base/err.h"

/* Whoever can change a home, or a directory on the way to it, can have a daemon in it write and read where
 * they like: so each of them belongs to us or to root and can be changed by nobody else (a sticky directory,
 * as /tmp, is fine on the way), and so does what velos keeps in the home. Links on the way are followed and
 * checked the same. 0, also where the home does not exist yet; -1: ERR_DENIED with the owner or the mode, and
 * a command. */
must_check int home_check(const char *home, struct err *e);

/* Whether the process at the other end of a connection to the home's socket runs as us. -1: ERR_DENIED. */
must_check int home_check_peer(const char *home, int fd, struct err *e);
