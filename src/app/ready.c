/* sd_notify: what apps say on the socket of $NOTIFY_SOCKET, and which of them said it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "app/entry.h"
#include "base/file.h"
#include "base/log.h"
#include "channel/notify.h"
#include "os/procstat.h"

/* Of one socket, before others have their turn. The kernel bounds what waits in each
 * (net.unix.max_dgram_qlen); who sends more waits for us, and of a shared socket the others that send do. */
enum { TURN_SHARED = 64, TURN_OWN = 16 };

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

static void take(struct instance *in, const struct notice *n)
{
    if (n->has_status && !text_equal(in->status_text, n->status)) {
        free(in->status_text);
        in->status_text = xstrdup(n->status);
        instance_put(in);
    }
    if (n->ready)
        instance_ready(in);
}

/* A sender that has exited by now cannot be looked up: then the instance is the one that this socket is of,
 * if the sender was of a user that it could have been. A name can be known by others. */
static struct instance *instance_of(struct world *w, const struct door *d, const struct os_peer *sender)
{
    struct proc_info now;
    if (sender->pid && procstat_read(sender->pid, &now)) {
        struct instance *in = find_sender(w, sender->pid);
        return !d->in || d->in == in ? in : NULL;
    }
    if (!d->in || !d->in->pid || (sender->uid != 0 && sender->uid != launch_uid(d->in)))
        return NULL;
    return d->in;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct door *d = container_of(poll, struct door, poll);
    struct notice n;
    struct os_peer sender;
    int most = d->in ? TURN_OWN : TURN_SHARED;
    for (int i = 0; i < most && notify_receive(d->fd, &n, &sender); i++) {
        struct instance *in = sender.known ? instance_of(poll->data, d, &sender) : NULL;
        if (in)
            take(in, &n);
        else
            log_debug("notify: pid %d belongs to no app", (int)sender.pid);
    }
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

/* Of one instance. */

static void closed(uv_handle_t *h)
{
    struct door *d = container_of((uv_poll_t *)h, struct door, poll);
    free(d->address);
    free(d);
}

void instance_free_notify(struct instance *in)
{
    struct door *d = in->door;
    if (!d)
        return;
    in->door = NULL;
    uv_poll_stop(&d->poll);
    fd_done(&d->fd);
    uv_close((uv_handle_t *)&d->poll, closed);
}

void instance_forget_notify(struct instance *in)
{
    if (in->door && in->door->address[0] == '/')
        unlink(in->door->address);
    entry_drop_fds(in, ENTRY_NOTIFY);
    instance_free_notify(in);
}

static char *own_address(const struct instance *in)
{
    const struct world *w = in->app->world;
    return notify_address_of_instance(w->home, w->nonce, (long long)in->id, in->app->spec->user != NULL);
}

static void make_own(struct instance *in, int take_fd, char *take_address)
{
    struct door *d = xnew(struct door);
    *d = (struct door){ .fd = take_fd, .address = take_address, .in = in };
    in->door = d;
    listen_at(in->app->world, d);
}

void instance_adopt_notify(struct instance *in, int take_fd)
{
    make_own(in, take_fd, own_address(in));
}

/* False: it has none, the shared one must do. A new child begins without what was said before it. */
static bool need_own(struct instance *in)
{
    struct err e;
    own_text address = own_address(in);
    if (!in->app->spec->wait_ready || (in->door && strcmp(in->door->address, address) != 0))
        instance_forget_notify(in);
    if (!in->app->spec->wait_ready)
        return false;
    if (in->door) {
        notify_discard(in->door->fd);
        return true;
    }
    int fd = notify_open(address, &e);
    if (fd < 0) {
        log_debug("%s", e.text);
        return false;
    }
    make_own(in, fd, steal(address));
    entry_put_fds(in, ENTRY_NOTIFY);
    return true;
}

void world_need_notify(struct instance *in)
{
    struct world *w = in->app->world;
    int wished = door_of(in);
    if (need_own(in))
        return;
    open_door(w, wished);
    if (w->doors[wished].failed) /* no abstract names on macOS */
        open_door(w, DOOR_HOME);
}

const char *world_notify_address(const struct instance *in)
{
    const struct door *d = in->door ? in->door : &in->app->world->doors[door_of(in)];
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
