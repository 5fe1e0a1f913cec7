/* sd_notify: what apps say on the socket of $NOTIFY_SOCKET, and who said it. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
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
    struct world *w = container_of(poll, struct world, notify_poll);
    struct notice n;
    pid_t sender;
    for (int i = 0; i < 64 && notify_receive(w->notify, &n, &sender); i++)
        if (sender)
            take(w, &n, sender);
}

static void listen_to(struct world *w)
{
    uv_poll_init(w->loop, &w->notify_poll, w->notify);
    uv_poll_start(&w->notify_poll, UV_READABLE, on_readable);
}

void world_resume_notify(struct world *w)
{
    w->notify_address = notify_address(w->home, w->nonce);
    if (w->notify >= 0)
        listen_to(w);
}

void world_need_notify(struct world *w)
{
    struct err e;
    if (w->notify >= 0 || w->notify_failed)
        return;
    w->notify = notify_open(w->home, w->nonce, &e);
    w->notify_failed = w->notify < 0;
    if (w->notify_failed) {
        log_error("%s; apps cannot say that they are ready", e.text);
        return;
    }
    keeper_link_put(w->keeper, "notify", &w->notify, 1);
    listen_to(w);
}
