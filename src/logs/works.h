/* src/logs/works.h: what the pump's thread does: its streams, its sinks, and the orders it is given. */
#pragma once
#include "logs/pump.h"

enum order_type {
    ORDER_ADD,
    ORDER_CHANGE,
    ORDER_REMOVE,
    ORDER_HURRY,
    ORDER_ENDED,
    ORDER_SEND,
    ORDER_FLUSH,
    ORDER_REOPEN,
    ORDER_SYNC,
    ORDER_TRANSIT,
    ORDER_BEGIN,
    ORDER_END
};
struct order {
    struct link link;
    enum order_type type;
    uint64_t stream; /* or ticket */
    unsigned ticket; /* ORDER_ENDED: rising */
    bool gathered;   /* ... nothing is in the pipe */
    int fd;          /* of ORDER_ENDED and ORDER_SEND: the order's own, or -1 */
    uint64_t number; /* ORDER_SEND: its ticket */
    int64_t until;   /* ... mono ms */
    char *text;      /* ... */
    int transit[TRANSIT_FDS];
    char *path;
    struct rotate_rules rotate;
    struct rights *rights;
    struct lines *lines;
    enum pump_need need;
};
void order_free(struct order *o);

/* tell and watch are called on this thread: watch when work begins and the owner does not look after it yet
 * (works_unwatched). works_wake ends a works_wait from any. */
struct works_hooks {
    void (*tell)(void *arg, const struct pump_news *news);
    void (*watch)(void *arg);
    void *arg;
};
struct works;
struct works *works_new(const struct works_hooks *hooks); /* NULL and errno */
struct works *works_free(struct works *w);
void works_wake(struct works *w);

/* Asked by any thread: which piece of work it is at. */
struct works_pulse {
    unsigned turn; /* another number with each piece */
    bool busy;     /* false: it waits for one */
    uint64_t stream;
};
struct works_pulse works_pulse(const struct works *w);
bool works_unwatched(struct works *w); /* the owner looks away; false: better not, something is under way */

unsigned works_ended(const struct works *w);       /* ORDER_ENDED up to this ticket are done */
void works_void(struct works *w, unsigned ticket); /* ... and up to this one do nothing any more */

void works_wait(struct works *w); /* until something is ready, due, or we are woken */
void works_obey(struct works *w, struct order *o);
void works_move(struct works *w); /* the bytes that are due, after their rest */
void works_end(struct works *w);  /* lets go of all streams; what is in pipes stays there */
