/* src/proto/launch.h: a home and the daemon on it: makes the one, starts the other, once, however many
 * ask at the same time. */
#pragma once
#include "base/text.h"

/* Exists (made with mode 0700 if need be), is a folder, and is ours: else -1. */
must_check int launch_prepare_home(const char *home, struct err *e);

/* Where velos-keeper is: beside the running program, else in libexec. The caller frees. */
must_check int launch_find_keeper(char **out, struct err *e);

/* Has somebody the home's lock: a daemon that runs, or is about to end? */
bool launch_is_taken(const char *home);

/* Waits until velosd and velos-keeper of a home are no more, which are about to end, or somebody has started
 * the next. Uses SIGALRM: for the CLI. */
void launch_await_end(const char *home, int timeout_ms);

/* Starts the daemon unless somebody else has by now; settings: JSON, "" or NULL for none. A connection to it,
 * or -1. */
must_check int launch_daemon(const char *home, const char *settings, int timeout_ms, struct err *e);
