/* src/logs/history.h: a log read backwards, from its last line through its archives, as far as anybody asks.
 * A file is opened when its turn comes. */
#pragma once
#include "logs/tail.h"

struct history;
/* The filter and the rights (NULL: our own) outlive it; lines younger than `until` need not be given. */
struct history *history_new(const char *path, const struct rights *rights,
                            const struct segment_filter *filter, int64_t until);
struct history *history_free(struct history *h);

/* The time (wall us) of the next line going back; while its file is not open yet, of that file's last write:
 * it is not younger. INT64_MIN: there is none. */
int64_t history_time(const struct history *h);
bool history_is_exact(const struct history *h);
void history_look(struct history *h,
                  size_t most);       /* makes it exact; most: lines that may be asked for in all */
void history_back(struct history *h); /* takes that line */

bool history_was_taken(const struct history *h); /* at least one line */
/* The log itself as it was when this began: what is written from then on is news. Zeroes: there was none. */
const struct stat *history_live(const struct history *h);
int history_error(const struct history *h); /* errno of a file that is there and could not be read; or 0 */
/* A tail that begins with the oldest line that was taken; none was: at the end, as it was. */
struct tail *history_tail(struct history *h);
/* A tail that begins with the first line of that time or later, or a little before. */
struct tail *history_since(struct history *h, int64_t time);
