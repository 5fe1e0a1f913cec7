#include "watch/debounce.h"

void debounce_add(struct debounce *d, int64_t now)
{
    if (!d->first)
        d->first = now;
    d->last = now;
}

int64_t debounce_due(const struct debounce *d, int64_t delay)
{
    if (!d->first)
        return 0;
    int64_t quiet = d->last + delay, most = d->first + delay * DEBOUNCE_MOST;
    return quiet < most ? quiet : most;
}
