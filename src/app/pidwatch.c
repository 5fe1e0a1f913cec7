#include <stdlib.h>
#include <unistd.h>

#include "app/app.h"

struct pidwatch {
    uv_poll_t poll;
    int fd;
    pidwatch_ended *ended;
    void *arg;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct pidwatch *p = container_of(poll, struct pidwatch, poll);
    uv_poll_stop(poll); /* readable for ever from now on */
    p->ended(p->arg);
}

struct pidwatch *pidwatch_new(uv_loop_t *loop, int take_pidfd, pidwatch_ended *ended, void *arg)
{
    struct pidwatch *p = xnew(struct pidwatch);
    p->fd = take_pidfd;
    p->ended = ended;
    p->arg = arg;
    uv_poll_init(loop, &p->poll, p->fd);
    uv_poll_start(&p->poll, UV_READABLE, on_readable);
    return p;
}

int pidwatch_fd(const struct pidwatch *p)
{
    return p ? p->fd : -1;
}

static void closed(uv_handle_t *h)
{
    free(container_of((uv_poll_t *)h, struct pidwatch, poll));
}

struct pidwatch *pidwatch_free(struct pidwatch *p)
{
    if (!p)
        return NULL;
    uv_poll_stop(&p->poll); /* out of epoll before the number is free again */
    close(p->fd);
    uv_close((uv_handle_t *)&p->poll, closed);
    return NULL;
}
