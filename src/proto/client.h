/* src/proto/client.h: the asking half: connects, starts the daemon if wanted, sends, waits.
 *
 * Blocking, for the CLI. A daemon that is replaced under a request in flight costs nothing: the client
 * connects again (the listening socket outlives the daemon) and repeats the request, marked
 * "retry": true and with the same "token", which every handler takes into account. */
#pragma once
#include "proto/proto.h"

struct client;

enum client_start { CLIENT_NEVER_START, CLIENT_MAY_START };

struct client_options {
    const char *home; /* absolute */
    enum client_start start;
    int timeout_ms;   /* for connecting and hello; 0: 10 s */
    bool appears;     /* its socket has just been made: it may refuse for a moment, which is waited for */
    bool any_version; /* the daemon may speak another protocol: for daemon.update, which every one understands
                       */
    /* Of a daemon that is started: its settings as JSON, "" for none. NULL: none. */
    int (*settings)(const char *home, char **out, struct err *e);
};

/* 0; or -1: ERR_UNREACHABLE (no daemon, or no answer), ERR_VERSION, ERR_DENIED. */
must_check int client_open(const struct client_options *o, struct client **out, struct err *e);
struct client *client_free(struct client *c);

/* Sends method with params (a JSON object text, or NULL) and waits for the answer; *result is the
 * caller's. An error answer fills e. Notifications that arrive meanwhile go to `on_notice` (may be
 * NULL). timeout_ms < 0: for ever; else ERR_TIMEOUT. */
typedef void client_notice(void *arg, const char *method, const json_t *params);
must_check int client_call(struct client *c, const char *method, const char *params, int timeout_ms,
                           client_notice *on_notice, void *arg, json_t **result, struct err *e);

/* The same, and the result as the text that came: appended to *result. For what can be large. */
must_check int client_call_text(struct client *c, const char *method, const char *params, int timeout_ms,
                                client_notice *on_notice, void *arg, struct buf *result, struct err *e);

/* Waits for notifications until on_notice's wish (events -f): returns -1 when the connection ends and
 * cannot be made again. */
typedef bool client_more(void *arg, const char *method, const json_t *params);
must_check int client_listen(struct client *c, client_more *on_notice, void *arg, struct err *e);

/* The notifications that are there by now, without waiting. -1: the connection has ended, or holds what is no
 * message. */
must_check int client_drain(struct client *c, client_notice *on_notice, void *arg, struct err *e);

int client_fd(const struct client *c); /* to poll beside other things; stays the client's */

/* $VELOS_HOME, or ~/.velos; absolute, without trailing slash; the caller frees. */
char *client_home(void);
