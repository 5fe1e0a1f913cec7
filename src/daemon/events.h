/* src/daemon/events.h: every transition, exactly one event, numbered; the last 1,000 can be asked for again.
 * They are kept small and put into words when somebody wants them. */
#pragma once
#include "app/app.h"

enum { EVENTS_KEPT = 1000 };

struct event {
    int64_t seq, time;   /* number; wall ms */
    int64_t id, uptime;  /* of the instance; of the life that ended with it, ms */
    struct label *label; /* of the app; a reference */
    char *reason;        /* for people; or NULL */
    pid_t pid;           /* 0: none */
    struct exit_status exit;
    enum life life : 8;
    enum cause cause : 8;
    bool deleted, ended; /* the instance is gone; a life ended: exit and uptime say how */
};
struct events {
    struct event *ring; /* of EVENTS_KEPT */
    size_t n, at;       /* kept; the oldest */
};

/* Early: memory that nobody had before is not there until it is written. (Here because of daemon/layout.ld:
 * the rest of events.c waits for an app.) */
static inline void events_init(struct events *ev)
{
    *ev = (struct events){ .ring = xmalloc(EVENTS_KEPT * sizeof(*ev->ring)) };
}
const struct event *events_add(struct events *ev, const struct change *c);
const struct event *events_get(const struct events *ev, size_t i); /* 0: the oldest; NULL */
void events_write(const struct event *e, struct buf *line); /* the whole notification, newline included */
void events_done(struct events *ev);
