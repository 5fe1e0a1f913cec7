#include "daemon/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/request.h"
#include "os/fds.h"
#include "os/peer.h"

enum { LARGE = 16 << 10 }; /* what an answer of so much leaves free is given back */

static void on_closed(uv_handle_t *h)
{
    struct conn *c = h->data;
    if (--c->open_handles > 0)
        return;
    buf_done(&c->in);
    free(c);
}

void conn_close(struct conn *c, const char *why)
{
    struct daemon *d = c->daemon;
    if (c->closing)
        return;
    if (why)
        log_warn("connection %llu closed: %s", (unsigned long long)c->number, why);
    c->closing = true;
    d->n_conns--;
    d->partial -= c->in.len;
    list_remove(&c->link);
    uv_close((uv_handle_t *)&c->pipe, on_closed);
    uv_close((uv_handle_t *)&c->hello_due, on_closed);
}

void conn_close_all(struct daemon *d)
{
    while (!list_empty(&d->conns))
        conn_close(container_of(d->conns.next, struct conn, link), NULL);
}

struct conn *conn_find(struct daemon *d, uint64_t number)
{
    list_each (l, &d->conns) {
        struct conn *c = container_of(l, struct conn, link);
        if (c->number == number)
            return c;
    }
    return NULL;
}

/* Writing. */

struct sending {
    uv_write_t req;
    char *text;
    size_t n;
};

static void on_sent(uv_write_t *req, int status)
{
    struct sending *s = container_of(req, struct sending, req);
    struct conn *c = req->handle->data;
    if (s->n >= LARGE)
        daemon_trim_soon(c->daemon);
    free(s->text);
    free(s);
}

static void send_bounded(struct conn *c, char *take_text, size_t n, size_t most, const char *why)
{
    if (c->closing) {
        free(take_text);
        return;
    }
    struct sending *s = xnew(struct sending);
    s->text = take_text;
    s->n = n;
    uv_buf_t b = uv_buf_init(take_text, (unsigned)n);
    if (uv_write(&s->req, (uv_stream_t *)&c->pipe, &b, 1, on_sent) < 0) {
        free(s->text);
        free(s);
        return; /* the reading side will notice */
    }
    if (uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) > most)
        conn_close(c, why);
}

void conn_send(struct conn *c, struct buf *take_line)
{
    size_t n = take_line->len;
    send_bounded(c, buf_steal(take_line), n, CONN_ANSWERS_MOST, "16 MiB of answers were not read");
}

void conn_send_event(struct conn *c, const struct event *ev)
{
    own_buf line = { 0 };
    events_write(ev, &line);
    size_t n = line.len;
    send_bounded(c, buf_steal(&line), n, CONN_EVENTS_MOST, "1 MiB of events was not read");
}

void conn_publish(struct daemon *d, const struct event *ev)
{
    list_each_safe (l, &d->conns) {
        struct conn *c = container_of(l, struct conn, link);
        if (c->subscribed)
            conn_send_event(c, ev);
    }
}

static void refuse(struct conn *c, enum err_code code, const char *why)
{
    struct err e;
    own_buf line = { 0 };
    err_set(&e, code, "%s", why);
    proto_add_error(&line, "null", &e);
    conn_send(c, &line);
    conn_close(c, why);
}

/* Reading. */

static void on_room(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
    struct conn *c = h->data;
    size_t room = MIN(MAX(c->in.len, (size_t)4096), (size_t)1 << 20);
    buf_reserve(&c->in, room);
    *out = uv_buf_init(c->in.data + c->in.len, (unsigned)(c->in.cap - c->in.len - 1));
}

static void take_lines(struct conn *c)
{
    size_t used = 0;
    while (!c->closing) {
        char *start = c->in.data + used;
        char *nl = memchr(c->in.data + MAX(c->scanned, used), '\n', c->in.len - MAX(c->scanned, used));
        if (!nl)
            break;
        *nl = '\0';
        used = (size_t)(nl - c->in.data) + 1;
        c->scanned = used;
        if ((size_t)(nl - start) >= PROTO_LINE_MOST)
            refuse(c, ERR_LIMIT, "a line is longer than 8 MiB");
        else if (nl > start)
            request_line(c, start, (size_t)(nl - start));
    }
    if (c->closing)
        return;
    c->daemon->partial -= used;
    buf_drop(&c->in, used);
    c->scanned = c->in.len;
    if (c->in.len == 0)
        buf_done(&c->in);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *unused)
{
    struct conn *c = s->data;
    if (c->closing || n == 0)
        return;
    if (n < 0) {
        conn_close(c, NULL);
        return;
    }
    c->in.len += (size_t)n;
    c->in.data[c->in.len] = '\0';
    c->daemon->partial += (size_t)n;
    take_lines(c);
    if (!c->closing && c->in.len >= PROTO_LINE_MOST)
        refuse(c, ERR_LIMIT, "a line is longer than 8 MiB");
    else if (!c->closing && c->daemon->partial > CONN_PARTIAL_MOST)
        refuse(c, ERR_LIMIT, "unfinished lines of all connections hold too much memory");
}

/* Arriving. */

static void on_hello_due(uv_timer_t *t)
{
    refuse(t->data, ERR_TIMEOUT, "no velos.hello within 10 s");
}

static bool is_welcome(struct conn *c)
{
    uv_os_fd_t fd;
    uid_t uid;
    if (uv_fileno((uv_handle_t *)&c->pipe, &fd) < 0 || os_peer_uid(fd, &uid) < 0 ||
        (uid != geteuid() && uid != 0)) {
        refuse(c, ERR_DENIED, "only the daemon's owner and root may connect");
        return false;
    }
    /* Clients leave apps their descriptors (need_room() in app/launch.c). */
    if (c->daemon->n_conns > MIN((size_t)CONN_MOST, (size_t)os_fds_limit() / OS_FDS_CLIENTS)) {
        refuse(c, ERR_LIMIT, "too many connections");
        return false;
    }
    return true;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct daemon *d = server->data;
    if (status < 0) {
        log_error("accept: %s", uv_strerror(status));
        return;
    }
    struct conn *c = xnew(struct conn);
    c->daemon = d;
    c->number = ++d->next_conn;
    c->open_handles = 2;
    uv_pipe_init(&d->loop, &c->pipe, 0);
    uv_timer_init(&d->loop, &c->hello_due);
    c->pipe.data = c->hello_due.data = c;
    list_append(&d->conns, &c->link);
    d->n_conns++;
    int r = uv_accept(server, (uv_stream_t *)&c->pipe);
    if (r < 0) {
        conn_close(c, uv_strerror(r));
        return;
    }
    if (!is_welcome(c))
        return;
    uv_timer_start(&c->hello_due, on_hello_due, CONN_HELLO_MS, 0);
    uv_read_start((uv_stream_t *)&c->pipe, on_room, on_read);
}

int conn_listen(struct daemon *d, struct err *e)
{
    uv_pipe_init(&d->loop, &d->listener, 0);
    d->listener.data = d;
    /* libuv closes what it is given: it gets a copy, the socket itself is an entry of the keeper's */
    int r = uv_pipe_open(&d->listener, dup(d->sock));
    if (r == 0)
        r = uv_listen((uv_stream_t *)&d->listener, 1024, on_connection);
    return r < 0 ? err_set(e, ERR_FAILED, "listen: %s", uv_strerror(r)) : 0;
}
