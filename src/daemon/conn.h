/* src/daemon/conn.h: one client. A slow, silent or hostile one costs only itself: every buffer it can make us
 * hold has a bound, and beyond it the connection goes, with a line in our log that says why. */
#pragma once
#include "daemon/daemon.h"
#include "proto/proto.h"

enum {
    CONN_MOST = 900,              /* connections */
    CONN_HELLO_MS = 10000,        /* until hello */
    CONN_PARTIAL_MOST = 64 << 20, /* unfinished lines of all connections together */
    CONN_ANSWERS_MOST = 16 << 20, /* answers a client does not read */
    CONN_EVENTS_MOST = 1 << 20,   /* events a subscriber does not read */
};

struct conn {
    struct link link;
    struct daemon *daemon;
    uint64_t number;
    uv_pipe_t pipe;
    uv_timer_t hello_due;
    bool greeted, subscribed, closing;
    int open_handles;
    struct buf in;
    size_t scanned; /* bytes of `in` known to hold no newline */
};

int conn_listen(struct daemon *d, struct err *e);
void conn_close(struct conn *c, const char *why); /* why: for our log, or NULL */
void conn_close_all(struct daemon *d);
struct conn *conn_find(struct daemon *d, uint64_t number); /* NULL: gone */
void conn_send(struct conn *c, struct buf *take_line);     /* a whole line; takes the text */
void conn_publish(struct daemon *d, const struct event *ev);
void conn_send_event(struct conn *c, const struct event *ev);
