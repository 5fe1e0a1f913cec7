/* events: what has happened, and with -f what happens. Events are numbered, so a connection that ends
 * (the daemon was replaced) is taken up again behind the last one seen: none is missed, none comes twice. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/status.h"

struct stream {
    struct cli *c;
    bool color;
    int64_t last;  /* the last one printed */
    int64_t until; /* stop behind this one */
    bool follow;   /* never stop */
    struct err *e;
    bool failed;
};

static void add_exit(struct buf *out, const json_t *ev)
{
    const json_t *code = json_object_get(ev, "exit_code");
    const char *sig = json_get_str(ev, "exit_signal", NULL);
    if (json_is_integer(code))
        buf_addf(out, ", exit %lld", (long long)json_integer_value(code));
    if (sig)
        buf_addf(out, ", %s", sig);
}

static void add_line(struct buf *out, const json_t *ev, bool color)
{
    const char *name = json_get_str(ev, "event", "?"), *reason = json_get_str(ev, "reason", NULL);
    const char *paint = color ? color_code(status_color(name)) : "";
    int64_t pid = json_get_int(ev, "pid", 0);
    buf_addf(out, "%s  %" PRId64 "  %s (%" PRId64 ") %s%s%s", json_get_str(ev, "time", "-"),
             json_get_int(ev, "seq", 0), json_get_str(ev, "app", "?"), json_get_int(ev, "id", -1), paint,
             name, paint[0] ? color_code("reset") : "");
    buf_adds(out, reason ? ": " : "");
    buf_add_shown(out, reason ? reason : "");
    add_exit(out, ev);
    if (pid)
        buf_addf(out, ", pid %" PRId64, pid);
    buf_addc(out, '\n');
}

static void add_json(struct buf *out, const json_t *ev)
{
    char *text = json_dumps(ev, JSON_COMPACT | JSON_REAL_PRECISION(15));
    buf_addf(out, "%s\n", text);
    free(text);
}

/* A client_more; goes on until `until`. */
static bool on_event(void *arg, const char *method, const json_t *ev)
{
    struct stream *s = arg;
    int64_t seq = json_get_int(ev, "seq", 0);
    if (strcmp(method, "event") != 0 || seq <= s->last)
        return true;
    own_buf out = { 0 };
    if (s->c->json)
        add_json(&out, ev);
    else
        add_line(&out, ev, s->color);
    s->last = seq;
    s->failed = out_write(&out, s->e) < 0;
    return !s->failed && seq < s->until;
}

static void on_early_event(void *arg, const char *method, const json_t *ev)
{
    (void)on_event(arg, method, ev);
}

/* From behind s->last; from now when that is negative. */
static int subscribe(struct stream *s, bool first_time, struct err *e)
{
    own_text params = s->last < 0 ? NULL : xasprintf("{\"since\":%" PRId64 "}", s->last);
    own_json result = NULL;
    int r = first_time ? cli_ask(s->c, "events.subscribe", params, &result, e)
                       : cli_ask_running(s->c, "events.subscribe", params, &result, e);
    if (r < 0)
        return -1;
    int64_t seq = json_get_int(result, "seq", 0), first = json_get_int(result, "first", 0);
    if (s->last >= 0 && first > s->last + 1)
        out_note("events %" PRId64 " to %" PRId64
                 " are no longer kept: velosd keeps the last 1,000 since it started",
                 s->last + 1, first - 1);
    if (s->last < 0)
        s->last = seq;
    else
        s->last = MAX(s->last, first - 1);
    if (!s->follow)
        s->until = seq;
    return 0;
}

static int events_run(struct cli *c, struct err *e)
{
    bool follow = args_has(&c->args, "follow");
    struct stream s = { .c = c, .e = e, .follow = follow, .until = INT64_MAX };
    s.last = args_count(&c->args, "since", follow ? -1 : 0);
    s.color = !c->json && out_color_wanted(c->color, STDOUT_FILENO);
    c->on_notice = on_early_event;
    c->notice_arg = &s;
    for (bool first_time = true;; first_time = false) {
        if (subscribe(&s, first_time, e) < 0)
            return -1;
        if (s.last >= s.until)
            return 0;
        if (client_listen(c->client, on_event, &s, e) == 0)
            return s.failed ? -1 : 0;
        if (e->sys != ECONNRESET)
            return -1;
        cli_disconnect(c); /* a daemon that was killed is not started by those who watched it */
    }
}

const struct cmd cmd_events = {
    .name = "events",
    .usage = "events [-f] [--since SEQ]",
    .about = "What has happened to the apps: every change of state, numbered.",
    .more =
        "Without -f the events still kept (the last 1000); with it those to come. --json: one object a line.",
    .args = { .max = 0 },
    .opts = (const struct opt[]){ { 'f', "follow", OPT_FLAG, "Go on with what happens." },
                                  { 0, "since", OPT_COUNT, "Only events behind this number.", "SEQ" },
                                  { 0 } },
    .flags = CMD_NEEDS_DAEMON,
    .run = events_run,
};
