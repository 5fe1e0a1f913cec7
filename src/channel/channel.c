#include "channel/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "os/sock.h"

enum { LOOK = 64 << 10 };

struct channel {
    uv_poll_t poll;
    int fd;
    bool open;
    bool skipping;        /* the rest of a message that was too long */
    bool skipped;         /* and that was said */
    struct buf long_line; /* the taken part of a message longer than a look */
    channel_said *said;
    void *arg;
    bool freed; /* perhaps by what it said, while it is being read */
};

int channel_pair(int out[2])
{
    if (os_sock_pair(SOCK_STREAM, false, out) < 0)
        return -1;
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    return 0;
}

bool channel_is_ready(const char *line, size_t n)
{
    return n == 7 && memcmp(line, "\"ready\"", 7) == 0;
}

static void say(struct channel *c, char *line, size_t n)
{
    if (n && line[0] == 0x02) { /* Bun's mark of an internal message */
        line++;
        n--;
    }
    if (n && line[n - 1] == '\r')
        n--;
    char was = line[n];
    line[n] = '\0';
    if (n && !c->freed)
        c->said(c->arg, line, n);
    line[n] = was;
}

/* The end of a message whose beginning was taken before. */
static void say_long(struct channel *c, const char *end, size_t n)
{
    if (!c->skipping) {
        buf_add(&c->long_line, end, n);
        say(c, c->long_line.data, c->long_line.len);
    }
    c->skipping = false;
    buf_done(&c->long_line);
}

/* A look without a newline in it: part of a message, taken into memory. */
static void take_part(struct channel *c, const char *text, size_t n)
{
    if (c->skipping)
        return;
    if (c->long_line.len + n > CHANNEL_LINE_MOST) {
        if (!c->skipped)
            log_debug("messages of more than %d KiB on an app's channel are skipped",
                      CHANNEL_LINE_MOST >> 10);
        c->skipping = c->skipped = true;
        buf_done(&c->long_line);
        return;
    }
    buf_add(&c->long_line, text, n);
}

/* Whole lines in what was looked at; returns how many bytes are dealt with. */
static size_t deal_with(struct channel *c, char *text, size_t n)
{
    size_t used = 0;
    for (char *nl; used < n && (nl = memchr(text + used, '\n', n - used)); used = (size_t)(nl - text) + 1) {
        size_t len = (size_t)(nl - text) - used;
        if (c->skipping || c->long_line.len)
            say_long(c, text + used, len);
        else
            say(c, text + used, len);
    }
    return used;
}

static void forget(uv_handle_t *h)
{
    struct channel *c = container_of((uv_poll_t *)h, struct channel, poll);
    buf_done(&c->long_line);
    free(c);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct channel *c = container_of(poll, struct channel, poll);
    char text[LOOK + 1];
    ssize_t n = recv(c->fd, text, LOOK, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* disconnected; the app may go on without us */
        c->open = false;
        uv_poll_stop(&c->poll);
        return;
    }
    size_t used = deal_with(c, text, (size_t)n);
    if (used == 0) { /* part of a message: left there it would wake us again and again */
        take_part(c, text, (size_t)n);
        used = (size_t)n;
    }
    if (!c->freed && recv(c->fd, text, used, MSG_DONTWAIT) < 0)
        log_debug("channel: %s", strerror(errno));
}

struct channel *channel_new(uv_loop_t *loop, int take_fd, channel_said *said, void *arg)
{
    struct channel *c = xnew(struct channel);
    c->fd = take_fd;
    c->open = true;
    c->said = said;
    c->arg = arg;
    uv_poll_init(loop, &c->poll, take_fd);
    uv_poll_start(&c->poll, UV_READABLE, on_readable);
    return c;
}

struct channel *channel_free(struct channel *c)
{
    if (!c)
        return NULL;
    c->freed = true;
    uv_poll_stop(&c->poll);
    close(c->fd);
    uv_close((uv_handle_t *)&c->poll, forget);
    return NULL;
}

int channel_fd(const struct channel *c)
{
    return c ? c->fd : -1;
}

bool channel_is_open(const struct channel *c)
{
    return c && c->open;
}

bool channel_send(struct channel *c, const char *message)
{
    own_buf line = { 0 };
    if (!channel_is_open(c) || strlen(message) + 1 > CHANNEL_WRITE_MOST || strchr(message, '\n'))
        return false;
    buf_addf(&line, "%s\n", message);
    return send(c->fd, line.data, line.len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)line.len;
}
