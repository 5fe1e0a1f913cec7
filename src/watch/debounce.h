/* src/watch/debounce.h: when, after changes, it has been quiet long enough. Pure; all times in ms. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { DEBOUNCE_MOST = 10 }; /* times the delay: then it is enough, quiet or not */

struct debounce {
    int64_t first, last; /* changes; 0: none are waiting */
};
void debounce_add(struct debounce *d, int64_t now);
int64_t debounce_due(const struct debounce *d, int64_t delay); /* 0: nothing waits */
