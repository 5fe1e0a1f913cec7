/* src/cli/news.h: word of apps that somebody starts, scales or changes, for who reads their logs: the
 * daemon's events, over its death and through those that come after it. It costs the daemon a connection,
 * which is ours alone: one that is made again under a request would tell nothing. */
#pragma once
#include "proto/client.h"

struct news {
    const char *home; /* the caller's */
    struct client *client;
    bool due; /* there is some that news_take has not told */
};
void news_done(struct news *n);

/* There may be a daemon: none is no error. `appears`: its socket has just been made, so that it may refuse
 * for a moment, which is waited for. Does nothing while there is a connection; a new one is news. */
void news_connect(struct news *n, bool appears);
int news_fd(const struct news *n); /* to poll, and then to read from; -1: no daemon. The connection's */
void news_read(struct news *n);
bool news_take(struct news *n); /* is there any? Once */
