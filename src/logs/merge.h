/* src/logs/merge.h: many logs as one, in the order of time. */
#pragma once
#include "logs/history.h"

struct merge {
    const char *const *paths;
    const struct rights *const *rights; /* one a path; NULL, or one that is NULL: our own */
    size_t n;
    bool follow;                          /* the tails are wanted */
    size_t lines;                         /* the last so many of all of them together; SIZE_MAX: all */
    int64_t now;                          /* wall us */
    int64_t since, until;                 /* wall us; INT64_MIN, INT64_MAX: no limit */
    const struct segment_filter *filters; /* one a path */
    /* A line, wanted and within the limits, the pieces of a long one in a row; false: no more is wanted. */
    bool (*line)(void *arg, size_t which, int64_t time, const struct tail_at *at);
    void (*unread)(void *arg, size_t which, int error); /* errno: a file is there and could not be opened */
    void *arg;
};

/* The lines that are there, and a tail for each path that goes on where this ended; without `follow` some may
 * be NULL: nothing of them was shown. */
struct tail **merge_run(const struct merge *m);
