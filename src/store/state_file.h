/* src/store/state_file.h: state.json in the home, as a file: replaced whole or not at all, and the one before
 * it kept as state.json.1. At every instant, a power cut's included, each of the two is whole or not there.
 *
 * Blocking, and for any thread: velosd calls it on libuv's worker pool. */
#pragma once
#include "base/text.h"

#define STATE_FILE     "state.json"
#define STATE_PREVIOUS "state.json.1"

enum { STATE_MOST = 64 << 20 };

/* Mode 0600; temp + fsync + rename + fsync of the directory. What is there and cannot be read is never
 * overwritten and never made the previous file: it is renamed to NAME.WHY-TIME, and *moved (the caller's) has
 * the new name, else NULL. On failure the present file is as it was. `is_unreadable` says why a text cannot
 * be read, in one word
 * ("damaged", "newer"); NULL: it can. */
typedef const char *state_is_unreadable(const char *text, size_t n);
must_check int state_file_write(const char *home, const struct buf *text, state_is_unreadable *is_unreadable,
                                char **moved, struct err *e);

/* name: one of the two above. A file that is not there: ERR_NOT_FOUND. */
must_check int state_file_read(const char *home, const char *name, char **out, size_t *n, struct err *e);
