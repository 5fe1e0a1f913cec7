/* The asking half. One request at a time: it is sent (the first one of a connection together with
 * velos.hello, in one write) and messages are read until its answer is among them.
 *
 * A connection that ends before the answer says nothing about whether the work was done: the daemon may
 * be in the middle of being replaced. So the request goes out again on a new connection, with the token it
 * had and "retry": true. Nothing sleeps as long as the socket takes connections, which it does while
 * its next daemon comes up; only where it refuses them we wait, a little longer each time. */
#include "proto/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/time.h"
#include "config.h"
#include "os/account.h"
#include "os/unixsock.h"
#include "proto/home.h"
#include "proto/launch.h"
#include "proto/scan.h"

enum {
    OPEN_MS = 10000,   /* for connecting and hello */
    RETRIES = 50,      /* connections that may end before an answer ... */
    RETRY_MS = 30000,  /* ... and for how long they may */
    ABSENT_MS = 2000,  /* how long a daemon we may not start can stay away */
    WAIT_LEAST_MS = 5, /* between refused connections */
    WAIT_MOST_MS = 250,
    READ_BYTES = 64 << 10,
};

enum step { DONE, LOST = 1 }; /* and -1: the error is filled */

struct client {
    char *home;
    enum client_start start;
    int open_ms;
    bool any_version;
    int (*settings)(const char *home, char **out, struct err *e);

    int fd;          /* -1: not connected */
    struct buf in;   /* what was received ... */
    size_t at, seen; /* ... from here on not handled, up to there without a newline */
    int64_t last_id;
    int64_t hello_id;       /* 0: hello was not sent on this connection */
    int64_t hello_deadline; /* 0: it was answered */
};

struct call {
    const char *method, *params;
    char token[20];
    bool retry;
    int64_t id, deadline; /* deadline 0: none */
    client_notice *on_notice;
    void *arg;
    struct buf *result;
};

char *client_home(void)
{
    const char *named = getenv("VELOS_HOME"), *user = getenv("HOME");
    own_text cwd = NULL;
    if (named && named[0] && named[0] != '/')
        cwd = getcwd(NULL, 0);
    if (named && named[0])
        return path_absolute(cwd ? cwd : "/", named);
    struct account us = { 0 };
    if (!user || user[0] != '/')
        user = account_of(geteuid(), &us) == 0 ? us.dir : "/";
    own_text home = path_join(user, ".velos");
    account_done(&us);
    return path_absolute("/", home);
}

/* Connections ---------------------------------------------------------------------------------------- */

static bool is_absent(const struct err *e)
{
    return e->sys == ENOENT || e->sys == ECONNREFUSED;
}

static void hang_up(struct client *c)
{
    fd_done(&c->fd);
    buf_clear(&c->in);
    c->at = c->seen = 0;
    c->hello_id = c->hello_deadline = 0;
}

/* Says in the user's words why there is no connection; e->sys stays, so that a caller can tell "none
 * runs" (ENOENT, ECONNREFUSED) from the rest. */
static int explain(const struct client *c, struct err *e)
{
    int sys = e->sys;
    if (is_absent(e)) {
        err_set(e, ERR_UNREACHABLE, "no daemon is running on %s", c->home);
    } else if (sys == EACCES || sys == EPERM) {
        err_set(e, ERR_DENIED, "home %s: belongs to another user", c->home);
        err_hint(e, "name a home of your own in VELOS_HOME");
    } else if (sys == ENOTDIR) {
        err_set(e, ERR_FAILED, "home %s: not a folder", c->home);
        err_hint(e, "move it away, or name another home in VELOS_HOME");
    } else if (e->code == ERR_FAILED && sys) {
        e->code = ERR_UNREACHABLE;
    }
    e->sys = sys;
    return -1;
}

/* The keeper says in its lock file what it knows of a velosd that does not get up. */
static void explain_silence(const struct client *c, struct err *e)
{
    struct err none;
    own_text path = path_join(c->home, PROTO_LOCK);
    own_text said = NULL;
    if (file_read(path, 4096, &said, NULL, &none) < 0 || !*said)
        err_set(e, ERR_UNREACHABLE, "the daemon on %s does not answer", c->home);
    else
        err_set(e, ERR_UNREACHABLE, "the daemon on %s does not answer: %.*s", c->home,
                (int)strcspn(said, "\n"), said);
}

/* Connected, and to a daemon of our own: not a byte of an environment goes to another user. */
static int greet_peer(struct client *c, struct err *e)
{
    if (home_check_peer(c->home, c->fd, e) == 0)
        return 0;
    hang_up(c);
    return -1;
}

static int dial(struct client *c, struct err *e)
{
    if (home_check(c->home, e) < 0)
        return -1;
    c->fd = os_unix_connect(c->home, PROTO_SOCKET, e);
    if (c->fd >= 0)
        return greet_peer(c, e);
    if (!is_absent(e) || c->start == CLIENT_NEVER_START)
        return explain(c, e);
    own_text settings = NULL;
    if (c->settings && c->settings(c->home, &settings, e) < 0)
        return -1;
    c->fd = launch_daemon(c->home, settings, c->open_ms, e);
    return c->fd >= 0 ? greet_peer(c, e) : -1;
}

static int redial(struct client *c, int64_t deadline, struct err *e)
{
    if (c->start == CLIENT_NEVER_START)
        deadline = MIN(deadline, time_mono_ms() + ABSENT_MS);
    for (int wait = WAIT_LEAST_MS; dial(c, e) < 0; wait = MIN(wait * 2, WAIT_MOST_MS)) {
        if (!is_absent(e) || time_mono_ms() + wait >= deadline)
            return -1;
        poll(NULL, 0, wait);
    }
    return 0;
}

int client_open(const struct client_options *o, struct client **out, struct err *e)
{
    struct client *c = xnew(struct client);
    c->home = xstrdup(o->home);
    c->start = o->start;
    c->settings = o->settings;
    c->any_version = o->any_version;
    c->open_ms = o->timeout_ms ? o->timeout_ms : OPEN_MS;
    c->fd = -1;
    int r = o->appears ? redial(c, time_mono_ms() + c->open_ms, e) : dial(c, e);
    if (r < 0) {
        client_free(c);
        return -1;
    }
    *out = c;
    return 0;
}

struct client *client_free(struct client *c)
{
    if (!c)
        return NULL;
    hang_up(c);
    buf_done(&c->in);
    free(c->home);
    free(c);
    return NULL;
}

int client_fd(const struct client *c)
{
    return c->fd;
}

/* Bytes ---------------------------------------------------------------------------------------------- */

/* Hello has a deadline of its own, the nearer one counts. */
static int64_t next_deadline(const struct client *c, int64_t deadline)
{
    if (!c->hello_deadline)
        return deadline;
    return deadline ? MIN(deadline, c->hello_deadline) : c->hello_deadline;
}

static int await(struct client *c, short events, int64_t deadline, struct err *e)
{
    for (;;) {
        int64_t until = next_deadline(c, deadline);
        int64_t left = until ? until - time_mono_ms() : -1;
        struct pollfd p = { .fd = c->fd, .events = events };
        int r = until && left <= 0 ? 0 : poll(&p, 1, (int)MIN(left, INT32_MAX));
        if (r > 0)
            return DONE;
        if (r < 0 && errno != EINTR)
            return err_sys(e, "wait for the daemon");
        if (r < 0)
            continue;
        if (!c->hello_deadline)
            return err_set(e, ERR_TIMEOUT, "the daemon has not answered in time");
        explain_silence(c, e);
        return err_hint(e, "see %s/" PROTO_LOG, c->home);
    }
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static int send_all(struct client *c, const struct buf *out, int64_t deadline, struct err *e)
{
    for (size_t sent = 0; sent < out->len;) {
        ssize_t n = send(c->fd, out->data + sent, out->len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            sent += (size_t)n;
        else if (!would_block())
            return DONE; /* its last words may still be there to read; the end will show */
        else if (await(c, POLLOUT, deadline, e) < 0)
            return -1;
    }
    return DONE;
}

static int receive(struct client *c, int64_t deadline, struct err *e)
{
    buf_drop(&c->in, c->at);
    c->seen -= c->at;
    c->at = 0;
    if (c->in.len > PROTO_LINE_MOST)
        return err_set(e, ERR_LIMIT, "the daemon's answer is longer than %d MiB", PROTO_LINE_MOST >> 20);
    if (await(c, POLLIN, deadline, e) < 0)
        return -1;
    buf_reserve(&c->in, READ_BYTES);
    ssize_t n = recv(c->fd, c->in.data + c->in.len, c->in.cap - c->in.len - 1, MSG_DONTWAIT);
    if (n < 0 && would_block())
        return DONE;
    if (n <= 0)
        return LOST;
    c->in.len += (size_t)n;
    c->in.data[c->in.len] = '\0';
    return DONE;
}

/* A message, in the pieces of its envelope; they lie in c->in until the next one is asked for. */
enum { ID, METHOD, PARAMS, RESULT, ERROR, PIECES };
struct message {
    struct piece piece[PIECES];
};

static int next_message(struct client *c, int64_t deadline, struct message *m, struct err *e)
{
    static const char *const names[PIECES] = { "id", "method", "params", "result", "error" };
    const char *end;
    *m = (struct message){ 0 };
    while (c->in.len == c->seen || !(end = memchr(c->in.data + c->seen, '\n', c->in.len - c->seen))) {
        c->seen = c->in.len;
        int r = receive(c, deadline, e);
        if (r != DONE)
            return r;
    }
    struct piece line = { c->in.data + c->at, (size_t)(end - c->in.data) - c->at };
    c->at = c->seen = (size_t)(end - c->in.data) + 1;
    scan_members(line, names, PIECES, m->piece);
    if (m->piece[METHOD].at || m->piece[RESULT].at || m->piece[ERROR].at)
        return DONE;
    return err_set(e, ERR_PARSE, "the daemon's answer is not JSON-RPC: %.*s", (int)MIN(line.n, (size_t)60),
                   line.at);
}

static int read_error(const struct message *m, struct err *e)
{
    own_json error = NULL;
    if (json_parse(m->piece[ERROR].at, m->piece[ERROR].n, &error, e) < 0)
        return err_in(e, "the daemon's answer");
    return proto_read_error(error, e);
}

/* Calls on_notice, if m is a notification. */
static bool is_notice(const struct message *m, client_more *on_notice, void *arg, bool *more, struct err *e)
{
    if (!m->piece[METHOD].at || m->piece[ID].at)
        return false;
    own_text method = piece_text(m->piece[METHOD]);
    own_json params = NULL;
    if (m->piece[PARAMS].at && json_parse(m->piece[PARAMS].at, m->piece[PARAMS].n, &params, e) < 0)
        return true; /* not for us, whatever it is */
    *more = on_notice(arg, method ? method : "", params);
    return true;
}

/* Requests ------------------------------------------------------------------------------------------- */

/* {"jsonrpc":"2.0","id":1,"method":METHOD,"params":{...}}: `inner` is what stands between the braces. */
static int64_t add_request(struct client *c, struct buf *out, const char *method, const char *inner)
{
    struct json_out j = JSON_OUT(out);
    json_open(&j, NULL, '{');
    json_str(&j, "jsonrpc", "2.0");
    json_int(&j, "id", ++c->last_id);
    json_str(&j, "method", method);
    json_raw(&j, "params", inner);
    json_close(&j, '}');
    buf_addc(out, '\n');
    return c->last_id;
}

static void add_hello(struct client *c, struct buf *out)
{
    own_text params = xasprintf("{\"protocol\":%d,\"version\":\"%s\"}", PROTO_VERSION, VELOS_VERSION);
    c->hello_id = add_request(c, out, "velos.hello", params);
    c->hello_deadline = time_mono_ms() + c->open_ms;
}

/* The caller's object with token and retry as its first members. */
static char *full_params(const struct call *call)
{
    const char *rest = call->params ? call->params + strspn(call->params, " {") : "}";
    return xasprintf("{\"token\":\"%s\"%s%s%s", call->token, call->retry ? ",\"retry\":true" : "",
                     rest[0] == '}' ? "" : ",", rest);
}

static int greeted(struct client *c, const struct message *m, struct err *e)
{
    static const char *const names[] = { "protocol" };
    struct piece protocol;
    int64_t spoken = 0;
    c->hello_deadline = 0;
    if (c->any_version)
        return 0;
    if (m->piece[ERROR].at)
        return read_error(m, e);
    scan_members(m->piece[RESULT], names, 1, &protocol);
    if (piece_int(protocol, &spoken) && spoken == PROTO_VERSION)
        return 0;
    err_set(e, ERR_VERSION, "the daemon speaks protocol %lld, this velos speaks %d", (long long)spoken,
            PROTO_VERSION);
    return err_hint(e, "velos update replaces the daemon by the installed version");
}

static bool tell_caller(void *arg, const char *method, const json_t *params)
{
    const struct call *call = arg;
    if (call->on_notice)
        call->on_notice(call->arg, method, params);
    return true;
}

/* 1: that was the answer, call->result is filled; 0: something else; -1: e is filled. */
static int take_message(struct client *c, struct call *call, const struct message *m, struct err *e)
{
    bool more;
    int64_t id;
    if (is_notice(m, tell_caller, call, &more, e))
        return 0;
    if (!piece_int(m->piece[ID], &id)) /* what the daemon has to say about the connection as a whole */
        return m->piece[ERROR].at ? read_error(m, e) : 0;
    if (id == c->hello_id)
        return greeted(c, m, e);
    if (id != call->id)
        return 0; /* late: its caller has given up waiting */
    if (m->piece[ERROR].at)
        return read_error(m, e);
    buf_add(call->result, m->piece[RESULT].at, m->piece[RESULT].n);
    return 1;
}

/* Sends the request and waits for its answer on the connection as it is. */
static int attempt(struct client *c, struct call *call, struct err *e)
{
    own_buf out = { 0 };
    own_text params = full_params(call);
    if (!c->hello_id)
        add_hello(c, &out);
    call->id = add_request(c, &out, call->method, params);
    if (out.len > PROTO_LINE_MOST)
        return err_set(e, ERR_LIMIT, "the request is longer than %d MiB", PROTO_LINE_MOST >> 20);
    if (send_all(c, &out, call->deadline, e) < 0)
        return -1;
    for (;;) {
        struct message m;
        int r = next_message(c, call->deadline, &m, e);
        if (r != DONE)
            return r;
        r = take_message(c, call, &m, e);
        if (r != 0)
            return r < 0 ? -1 : DONE;
    }
}

static void make_token(char out[20])
{
    uint64_t n = 0;
    if (getentropy(&n, sizeof(n)) < 0)
        n = (uint64_t)time_mono_ms() << 22 ^ (uint64_t)getpid();
    snprintf(out, 20, "%016llx", (unsigned long long)n);
}

int client_call_text(struct client *c, const char *method, const char *params, int timeout_ms,
                     client_notice *on_notice, void *arg, struct buf *result, struct err *e)
{
    struct call call = {
        .method = method, .params = params, .on_notice = on_notice, .arg = arg, .result = result
    };
    call.deadline = timeout_ms < 0 ? 0 : time_mono_ms() + timeout_ms;
    make_token(call.token);
    int64_t give_up = 0;
    for (int tries = 0; tries <= RETRIES; tries++) {
        if (c->fd < 0 && redial(c, give_up ? give_up : time_mono_ms() + c->open_ms, e) < 0)
            return -1;
        int r = attempt(c, &call, e);
        if (r != LOST)
            return r;
        hang_up(c);
        call.retry = true;
        if (!give_up)
            give_up = time_mono_ms() + RETRY_MS;
        else if (time_mono_ms() > give_up)
            break;
    }
    err_set(e, ERR_UNREACHABLE, "the daemon on %s ends before it answers", c->home);
    return err_hint(e, "see %s/" PROTO_LOG, c->home);
}

int client_call(struct client *c, const char *method, const char *params, int timeout_ms,
                client_notice *on_notice, void *arg, json_t **result, struct err *e)
{
    own_buf text = { 0 };
    if (client_call_text(c, method, params, timeout_ms, on_notice, arg, &text, e) < 0)
        return -1;
    return json_parse(text.data, text.len, result, e) < 0 ? err_in(e, "the daemon's answer") : 0;
}

static int gone(struct client *c, struct err *e)
{
    hang_up(c);
    err_set(e, ERR_UNREACHABLE, "the daemon on %s has gone", c->home);
    e->sys = ECONNRESET;
    return -1;
}

int client_listen(struct client *c, client_more *on_notice, void *arg, struct err *e)
{
    for (;;) {
        struct message m;
        bool more = true;
        int r = next_message(c, 0, &m, e);
        if (r == LOST)
            return gone(c, e);
        if (r < 0)
            return -1;
        if (is_notice(&m, on_notice, arg, &more, e) && !more)
            return 0;
        if (m.piece[ERROR].at && piece_is(m.piece[ID], "null"))
            return read_error(&m, e);
    }
}

static bool has_message(const struct client *c)
{
    return c->in.len > c->seen && memchr(c->in.data + c->seen, '\n', c->in.len - c->seen);
}

int client_drain(struct client *c, client_notice *on_notice, void *arg, struct err *e)
{
    struct call call = { .on_notice = on_notice, .arg = arg };
    for (;;) {
        struct pollfd p = { .fd = c->fd, .events = POLLIN };
        struct message m;
        bool more;
        while (!has_message(c)) {
            if (poll(&p, 1, 0) <= 0)
                return 0;
            int r = receive(c, 0, e);
            if (r != DONE)
                return r == LOST ? gone(c, e) : -1;
        }
        if (next_message(c, 0, &m, e) < 0)
            return -1;
        is_notice(&m, tell_caller, &call, &more, e);
        if (m.piece[ERROR].at && piece_is(m.piece[ID], "null"))
            return read_error(&m, e);
    }
}
