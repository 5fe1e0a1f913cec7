#include "daemon/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "daemon/show.h"

static struct event make(const struct change *c)
{
    const struct instance *in = c->in;
    return (struct event){
        .seq = in->seq,
        .time = time_wall_ms(),
        .id = in->id,
        .uptime = c->ended ? c->ended->uptime : 0,
        .pid = in->pid,
        .exit = c->ended ? c->ended->exit : (struct exit_status){ 0 },
        .life = in->life,
        .cause = c->cause,
        .deleted = c->deleted,
        .ended = c->ended != NULL,
        .label = label_ref(in->app->label),
        .reason = in->reason && !c->deleted ? xstrdup(in->reason) : NULL,
    };
}

void events_write(const struct event *e, struct buf *line)
{
    struct json_out j = JSON_OUT(line);
    json_open(&j, NULL, '{');
    json_str(&j, "jsonrpc", "2.0");
    json_str(&j, "method", "event");
    json_open(&j, "params", '{');
    json_int(&j, "seq", e->seq);
    json_time(&j, "time", e->time);
    json_str(&j, "app", e->label->name);
    json_str(&j, "namespace", e->label->ns);
    json_int(&j, "id", e->id);
    json_str(&j, "event", e->deleted ? "deleted" : life_name(e->life));
    json_str(&j, "reason", cause_name(e->cause));
    if (e->pid)
        json_int(&j, "pid", e->pid);
    if (e->reason)
        json_str(&j, "text", e->reason);
    if (e->ended) {
        show_exit(&j, e->exit.known ? &e->exit : NULL);
        json_int(&j, "uptime_ms", e->uptime);
    }
    json_close(&j, '}');
    json_close(&j, '}');
    buf_addc(line, '\n');
}

static void event_done(struct event *e)
{
    label_unref(e->label);
    free(e->reason);
}

const struct event *events_add(struct events *ev, const struct change *c)
{
    struct event *slot;
    if (ev->n < EVENTS_KEPT) {
        slot = &ev->ring[ev->n++];
    } else {
        slot = &ev->ring[ev->at];
        ev->at = (ev->at + 1) % EVENTS_KEPT;
        event_done(slot);
    }
    *slot = make(c);
    return slot;
}

const struct event *events_get(const struct events *ev, size_t i)
{
    return i < ev->n ? &ev->ring[(ev->at + i) % EVENTS_KEPT] : NULL;
}

void events_done(struct events *ev)
{
    for (size_t i = 0; i < ev->n; i++)
        event_done(&ev->ring[i]);
    free(ev->ring);
    *ev = (struct events){ 0 };
}
