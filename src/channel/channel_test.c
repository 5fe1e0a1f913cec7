#include "channel/channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/unit.h"

/* A channel whose other end the test writes to; what was said is collected, lines joined by "|". */
struct world {
    uv_loop_t loop;
    struct channel *channel;
    int app;
    struct buf said;
    size_t longest;
};

static void said(void *arg, const char *line, size_t n)
{
    struct world *w = arg;
    w->longest = MAX(w->longest, n);
    buf_addf(&w->said, "%.40s|", line);
}

static void begin(struct world *w)
{
    int pair[2];
    *w = (struct world){ 0 };
    uv_loop_init(&w->loop);
    check_int(channel_pair(pair), 0);
    w->channel = channel_new(&w->loop, pair[0], said, w);
    w->app = pair[1];
}

static void end(struct world *w)
{
    channel_free(w->channel);
    close(w->app);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    check_int(uv_loop_close(&w->loop), 0);
    buf_done(&w->said);
}

static void app_says(struct world *w, const char *text, size_t n)
{
    check_int(write(w->app, text, n), (long)n);
    uv_run(&w->loop, UV_RUN_NOWAIT);
}
#define SAY(w, text) app_says((w), (text), strlen(text))

TEST(whole_lines)
{
    struct world w;
    begin(&w);
    SAY(&w, "\"ready\"\n{\"a\":1}\n");
    check_text(w.said.data, "\"ready\"|{\"a\":1}|");
    end(&w);
}

TEST(a_line_in_pieces)
{
    struct world w;
    begin(&w);
    SAY(&w, "\"re");
    check_int(w.said.len, 0);
    SAY(&w, "ad");
    SAY(&w, "y\"\n\"x\"\n");
    check_text(w.said.data, "\"ready\"|\"x\"|");
    end(&w);
}

TEST(bun_crlf_empty_lines_and_garbage)
{
    struct world w;
    begin(&w);
    SAY(&w, "\x02{\"cmd\":\"NODE_X\"}\n\n\r\n}{ not json\n\"ready\"\r\n");
    check_text(w.said.data, "{\"cmd\":\"NODE_X\"}|}{ not json|\"ready\"|");
    end(&w);
}

TEST(messages_up_to_the_bound_and_beyond)
{
    struct world w;
    size_t n = CHANNEL_LINE_MOST / 4;
    own_text part = xmalloc(n);
    memset(part, 'x', n);
    begin(&w);
    for (int i = 0; i < 3; i++) /* taken */
        app_says(&w, part, n);
    SAY(&w, "\n");
    check_int(w.longest, 3 * n);
    for (int i = 0; i < 600; i++) /* skipped, and only that */
        app_says(&w, part, n);
    SAY(&w, "\n\"ready\"\n");
    check_int(w.longest, 3 * n);
    check(strstr(w.said.data, "|\"ready\"|"));
    end(&w);
}

TEST(sending)
{
    struct world w;
    char got[64] = { 0 };
    own_text large = xcalloc(1, CHANNEL_WRITE_MOST + 1);
    begin(&w);
    check(channel_send(w.channel, "{\"type\":\"shutdown\"}"));
    check_int(read(w.app, got, sizeof(got)), 20);
    check_text(got, "{\"type\":\"shutdown\"}\n");
    check(!channel_send(w.channel, "two\nlines"));
    memset(large, 'x', CHANNEL_WRITE_MOST);
    check(!channel_send(w.channel, large));
    end(&w);
}

TEST(an_app_that_disconnects)
{
    struct world w;
    begin(&w);
    shutdown(w.app, SHUT_RDWR);
    uv_run(&w.loop, UV_RUN_NOWAIT);
    check(!channel_is_open(w.channel));
    check(!channel_send(w.channel, "1"));
    check(!channel_is_open(NULL));
    end(&w);
}

TEST(ready)
{
    check(channel_is_ready("\"ready\"", 7));
    check(!channel_is_ready("ready", 5));
    check(!channel_is_ready("\"ready!\"", 8));
}

UNIT_MAIN()
