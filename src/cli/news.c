#include "cli/news.h"

#include <string.h>

/* What restarts by itself stays where it was: an app that crashes all the time is no news. */
static void on_notice(void *arg, const char *method, const json_t *params)
{
    struct news *n = arg;
    const char *why = json_get_str(params, "reason", "");
    bool starts = strcmp(method, "event") == 0 && strcmp(json_get_str(params, "event", ""), "starting") == 0;
    n->due |= starts && (strcmp(why, "manual") == 0 || strcmp(why, "none") == 0);
}

void news_done(struct news *n)
{
    n->client = client_free(n->client);
}

void news_connect(struct news *n, bool appears)
{
    struct client_options o = { .home = n->home, .start = CLIENT_NEVER_START, .appears = appears };
    struct err ignored; /* there is none; or one that will not have us, and then the next may */
    own_buf answer = { 0 };
    if (n->client || client_open(&o, &n->client, &ignored) < 0)
        return;
    if (client_call_text(n->client, "events.subscribe", NULL, -1, on_notice, n, &answer, &ignored) == 0)
        n->due = true;
    else
        news_done(n);
}

int news_fd(const struct news *n)
{
    return n->client ? client_fd(n->client) : -1;
}

void news_read(struct news *n)
{
    struct err ignored;
    if (client_drain(n->client, on_notice, n, &ignored) == 0)
        return;
    news_done(n);
    news_connect(n, false); /* the socket outlives a daemon that is replaced */
}

bool news_take(struct news *n)
{
    bool due = n->due;
    n->due = false;
    return due;
}
