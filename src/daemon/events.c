#include "daemon/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "daemon/show.h"

static void write_event(const struct change *c, struct buf *out)
{
    const struct instance *in = c->in;
    struct json_out j = JSON_OUT(out);
    json_open(&j, NULL, '{');
    json_str(&j, "jsonrpc", "2.0");
    json_str(&j, "method", "event");
    json_open(&j, "params", '{');
    json_int(&j, "seq", in->seq);
    json_time(&j, "time", time_wall_ms());
    json_str(&j, "app", in->app->spec->name);
    json_str(&j, "namespace", in->app->spec->ns);
    json_int(&j, "id", in->id);
    json_str(&j, "event", c->deleted ? "deleted" : life_name(in->life));
    json_str(&j, "reason", cause_name(c->cause));
    if (in->pid)
        json_int(&j, "pid", in->pid);
    if (in->reason && !c->deleted)
        json_str(&j, "text", in->reason);
    if (c->ended) {
        show_exit(&j, c->ended->exit.known ? &c->ended->exit : NULL);
        json_int(&j, "uptime_ms", c->ended->uptime);
    }
    json_close(&j, '}');
    json_close(&j, '}');
    buf_addc(out, '\n');
}

const struct event *events_add(struct events *ev, const struct change *c)
{
    own_buf line = { 0 };
    write_event(c, &line);
    struct event *slot;
    if (ev->n < EVENTS_KEPT) {
        if ((ev->n & (ev->n - 1)) == 0) /* doubles at powers of two */
            ev->ring = xrealloc(ev->ring, MAX(ev->n * 2, (size_t)16) * sizeof(*ev->ring));
        slot = &ev->ring[ev->n++];
    } else {
        slot = &ev->ring[ev->at];
        ev->at = (ev->at + 1) % EVENTS_KEPT;
        free(slot->json);
    }
    slot->seq = c->in->seq;
    slot->json = xstrdup(line.data); /* without the buffer's spare room */
    return slot;
}

const struct event *events_get(const struct events *ev, size_t i)
{
    return i < ev->n ? &ev->ring[(ev->at + i) % EVENTS_KEPT] : NULL;
}

void events_done(struct events *ev)
{
    for (size_t i = 0; i < ev->n; i++)
        free(ev->ring[i].json);
    free(ev->ring);
    *ev = (struct events){ 0 };
}
