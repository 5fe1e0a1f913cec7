/* src/channel/channel.h: Node's IPC channel (node-ipc.md, section 1): one JSON value a line, both ways, on a
 * stream socket whose number the child finds in NODE_CHANNEL_FD. Bun and Deno speak it too.
 *
 * What an app says is first looked at (MSG_PEEK), acted upon, and only then taken: a daemon killed in between
 * leaves it to the next. We only ever write whole, valid lines below 32 KiB, which such a socket takes whole
 * or not at all: half a line would be an uncaught error in the app. */
#pragma once
#include <uv.h>

#include "base/text.h"

enum {
    CHANNEL_CHILD_FD = 3,
    CHANNEL_LINE_MOST = 64 << 10, /* bytes of a message from an app, which we may have to keep; what is longer
                                     is skipped as it comes. Nothing we understand is as long */
    CHANNEL_WRITE_MOST = 32 << 10,
};

struct channel;

/* line: one message, NUL-terminated, without newline; n bytes. */
typedef void channel_said(void *arg, const char *line, size_t n);

/* Both ends, close-on-exec; ours (out[0]) non-blocking. 0 or -1 with errno. */
int channel_pair(int out[2]);
struct channel *channel_new(uv_loop_t *loop, int take_fd, channel_said *said, void *arg);
struct channel *channel_free(struct channel *c);
int channel_fd(const struct channel *c);       /* -1 for NULL */
bool channel_is_open(const struct channel *c); /* the app has not disconnected */

/* message: one JSON value. False: too long, the app is gone, or does not read. */
bool channel_send(struct channel *c, const char *message);

/* Is this what `process.send('ready')` says? */
bool channel_is_ready(const char *line, size_t n);
