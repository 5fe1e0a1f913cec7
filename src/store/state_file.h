/* src/store/state_file.h: state.json in the home, as a file: replaced whole or not at all, and the one before
 * it kept as state.json.1. At every instant, a power cut's included, each of the two is whole or not there.
 *
 * Blocking, and for any thread: velosd calls it on libuv's worker pool. */
#pragma once
#include "base/text.h"

#define STATE_FILE     "state.json"
#define STATE_PREVIOUS "state.json.1"

enum { STATE_MOST = 64 << 20 };

/* Mode 0600; temp + fsync + rename + fsync of the folder. A present file that `is_damaged` is neither lost
 * nor made the previous one: it is renamed to state.json.damaged-<time>, and *moved (the caller's) names it;
 * else NULL. On failure nothing has changed. */
typedef bool state_is_damaged(const char *text, size_t n);
must_check int state_file_write(const char *home, const struct buf *text, state_is_damaged *is_damaged,
                                char **moved, struct err *e);

/* name: one of the two above. A file that is not there: ERR_NOT_FOUND. */
must_check int state_file_read(const char *home, const char *name, char **out, size_t *n, struct err *e);
