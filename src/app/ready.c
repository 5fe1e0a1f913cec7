/* sd_notify: what apps say on the socket of $NOTIFY_SOCKET, and who said it. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/file.h"
#include "base/log.h"
#include "channel/notify.h"
#include "os/procstat.h"

/* The sender may be the main process, one below it, or of its session (systemd-notify in a script). */
static struct instance *find_sender(const struct world *w, pid_t pid)
{
    struct proc_info p;
    for (int up = 0; up < 32 && pid > 1; up++) {
        struct instance *in = map_get(&w->by_pid, (uint64_t)pid);
        if (in)
            return in;
        if (!procstat_read(pid, &p))
            return NULL;
        in = map_get(&w->by_pid, (uint64_t)p.session);
        if (in)
            return in;
        pid = p.ppid;
    }
    return NULL;
}

static void take(struct world *w, const struct notice *n, pid_t sender)
{
    struct instance *in = find_sender(w, sender);
    if (!in) {
        log_debug("notify: pid %d belongs to no app", (int)sender);
        return;
    }
    if (n->has_status && !text_equal(in->status_text, n->status)) {
        free(in->status_text);
        in->status_text = xstrdup(n->status);
        instance_put(in);
    }
    if (n->ready)
        instance_ready(in);
}

/* One at a time: loop rounds give others their turn, and the kernel bounds what waits. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    const struct door *d = container_of(poll, struct door, poll);
    struct notice n;
    pid_t sender;
    for (int i = 0; i < 64 && notify_receive(d->fd, &n, &sender); i++)
        if (sender)
            take(poll->data, &n, sender);
}

static void listen_at(struct world *w, struct door *d)
{
    uv_poll_init(w->loop, &d->poll, d->fd);
    d->poll.data = w;
    uv_poll_start(&d->poll, UV_READABLE, on_readable);
}

void world_resume_notify(struct world *w)
{
    w->doors[DOOR_HOME].address = notify_address(w->home, w->nonce);
    w->doors[DOOR_USERS].address = notify_address_of_users(w->nonce);
    for (int i = 0; i < DOOR_N; i++)
        if (w->doors[i].fd >= 0)
            listen_at(w, &w->doors[i]);
}

static int door_of(const struct instance *in)
{
    const struct world *w = in->app->world;
    return in->app->spec->user && !w->doors[DOOR_USERS].failed ? DOOR_USERS : DOOR_HOME;
}

static void open_door(struct world *w, int which)
{
    struct door *d = &w->doors[which];
    struct err e;
    if (d->fd >= 0 || d->failed)
        return;
    d->fd = notify_open(d->address, &e);
    d->failed = d->fd < 0;
    if (d->failed) {
        log_error("%s; apps cannot say that they are ready", e.text);
        return;
    }
    keeper_link_put(w->keeper, which == DOOR_USERS ? "notify-users" : "notify", &d->fd, 1);
    listen_at(w, d);
}

void world_need_notify(const struct instance *in)
{
    struct world *w = in->app->world;
    int wished = door_of(in);
    open_door(w, wished);
    if (w->doors[wished].failed) /* no abstract names on macOS */
        open_door(w, DOOR_HOME);
}

const char *world_notify_address(const struct instance *in)
{
    const struct door *d = &in->app->world->doors[door_of(in)];
    return d->failed ? NULL : d->address;
}

void world_done_notify(struct world *w)
{
    for (struct door *d = w->doors; d < w->doors + DOOR_N; d++) {
        if (d->fd >= 0 && d->address) {
            uv_poll_stop(&d->poll);
            uv_close((uv_handle_t *)&d->poll, NULL);
        }
        text_free(&d->address);
        fd_done(&d->fd);
    }
}
