/* src/daemon/events.h: every transition, exactly one event, numbered; the last 1,000 can be asked for again.
 */
#pragma once
#include "app/app.h"

enum { EVENTS_KEPT = 1000 };

struct event {
    int64_t seq;
    char *json; /* the whole notification line, newline included */
};
struct events {
    struct event *ring; /* grows to EVENTS_KEPT */
    size_t n, at;       /* kept; the oldest */
};

const struct event *events_add(struct events *ev, const struct change *c); /* formats and keeps it */
const struct event *events_get(const struct events *ev, size_t i);         /* 0: the oldest; NULL */
void events_done(struct events *ev);
