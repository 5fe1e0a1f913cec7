#include "store/keeper_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"

struct unsent {
    struct link link;
    struct keep_head head;
    char *key;
    int fds[KEEP_FDS_MOST];
};

struct keeper_link {
    uv_poll_t poll;
    int sock;
    bool dead;
    struct link queue;
    struct keeper_link_events ev;
    void *arg;
};

static void on_io(uv_poll_t *poll, int status, int events);

static void await(struct keeper_link *l)
{
    if (!l->dead)
        uv_poll_start(&l->poll, UV_READABLE | (list_empty(&l->queue) ? 0 : UV_WRITABLE), on_io);
}

static void unsent_free(struct unsent *u)
{
    list_remove(&u->link);
    for (size_t i = 0; i < u->head.n_fds; i++)
        close(u->fds[i]);
    free(u->key);
    free(u);
}

static void enqueue(struct keeper_link *l, const struct keep_head *h, const char *key, const int *fds)
{
    struct unsent *u = xnew(struct unsent);
    u->head = *h;
    u->key = xstrdup(key);
    for (size_t i = 0; i < h->n_fds; i++) /* the caller may close its own before we are heard */
        u->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
    bool first = list_empty(&l->queue);
    list_append(&l->queue, &u->link);
    if (first)
        await(l);
}

static void send_or_queue(struct keeper_link *l, enum keep_type type, const char *key, const int *fds,
                          size_t n_fds)
{
    const struct keep_head h = { .type = (uint16_t)type,
                                 .key_len = (uint16_t)strlen(key),
                                 .n_fds = (uint16_t)n_fds };
    if (l->dead)
        return;
    if (!list_empty(&l->queue)) {
        enqueue(l, &h, key, fds);
        return;
    }
    if (keep_send(l->sock, &h, key, fds) == 0)
        return;
    if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS || errno == ENOMEM)
        enqueue(l, &h, key, fds);
    else if (errno != EPIPE && errno != ECONNRESET) /* dead: `gone` is on its way */
        log_error("keeper: put %s: %s", key, strerror(errno));
}

static void send_queue(struct keeper_link *l)
{
    while (!list_empty(&l->queue)) {
        struct unsent *u = container_of(l->queue.next, struct unsent, link);
        if (keep_send(l->sock, &u->head, u->key, u->fds) < 0 && errno != EPIPE && errno != ECONNRESET)
            return;
        unsent_free(u);
    }
    await(l);
    l->ev.drained(l->arg);
}

static void read_all(struct keeper_link *l)
{
    for (;;) {
        struct keep_msg m;
        int r = keep_recv(l->sock, &m);
        if (r == 0) {
            l->dead = true;
            uv_poll_stop(&l->poll);
            l->ev.gone(l->arg);
            return;
        }
        if (r < 0)
            return;
        if (m.head.type == KEEP_EXIT)
            l->ev.exited(l->arg, m.key, m.head.pid, m.head.status);
        if (m.head.type == KEEP_ENTRY) {
            l->ev.entry(l->arg, &m);
            continue;
        }
        for (size_t i = 0; i < m.head.n_fds; i++)
            close(m.fds[i]);
    }
}

void keeper_link_hear(struct keeper_link *l)
{
    if (!l->dead)
        read_all(l);
}

static void on_io(uv_poll_t *poll, int status, int events)
{
    struct keeper_link *l = container_of(poll, struct keeper_link, poll);
    if (events & UV_WRITABLE)
        send_queue(l);
    if ((events & UV_READABLE) || status < 0)
        read_all(l);
}

int keeper_link_next_entry(struct keeper_link *l, struct keep_msg *m, pid_t *keeper_pid)
{
    for (;;) {
        int r = keep_recv(l->sock, m);
        if (r == 0) {
            l->dead = true;
            return -1;
        }
        if (r < 0 && errno == EAGAIN) {
            struct pollfd p = { .fd = l->sock, .events = POLLIN };
            poll(&p, 1, -1);
        }
        if (r < 0 && errno == EMFILE)
            return KEEPER_LINK_SHORT;
        if (r < 0)
            continue;
        if (m->head.type != KEEP_ALL)
            return 1;
        *keeper_pid = m->head.pid;
        return 0;
    }
}

void keeper_link_put(struct keeper_link *l, const char *key, const int *fds, size_t n_fds)
{
    send_or_queue(l, KEEP_PUT, key, fds, n_fds);
}

void keeper_link_delete(struct keeper_link *l, const char *key)
{
    send_or_queue(l, KEEP_DELETE, key, NULL, 0);
}

void keeper_link_say(struct keeper_link *l, enum keep_type type)
{
    send_or_queue(l, type, "", NULL, 0);
}

void keeper_link_ask_time(struct keeper_link *l, int64_t ms)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)ms);
    send_or_queue(l, KEEP_TIME, text, NULL, 0);
}

bool keeper_link_settled(const struct keeper_link *l)
{
    return list_empty(&l->queue);
}

struct keeper_link *keeper_link_new(uv_loop_t *loop, int sock, const struct keeper_link_events *ev, void *arg)
{
    struct keeper_link *l = xnew(struct keeper_link);
    l->sock = sock;
    l->ev = *ev;
    l->arg = arg;
    list_init(&l->queue);
    uv_poll_init(loop, &l->poll, sock);
    return l;
}

void keeper_link_listen(struct keeper_link *l)
{
    await(l);
}

void keeper_link_flush(struct keeper_link *l)
{
    while (!l->dead && !list_empty(&l->queue)) {
        struct pollfd p = { .fd = l->sock, .events = POLLOUT };
        if (poll(&p, 1, 5000) <= 0)
            return;
        send_queue(l);
    }
}

static void closed(uv_handle_t *h)
{
    struct keeper_link *l = container_of((uv_poll_t *)h, struct keeper_link, poll);
    close(l->sock);
    while (!list_empty(&l->queue))
        unsent_free(container_of(l->queue.next, struct unsent, link));
    free(l);
}

struct keeper_link *keeper_link_free(struct keeper_link *l)
{
    if (l) {
        uv_poll_stop(&l->poll);
        uv_close((uv_handle_t *)&l->poll, closed);
    }
    return NULL;
}
