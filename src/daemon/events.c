#include "daemon/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "daemon/show.h"

static char *join_words(const struct instance *in, bool with_reason)
{
    own_buf b = { 0 };
    const char *reason = with_reason && in->reason ? in->reason : "";
    buf_reserve(&b, strlen(in->app->spec->name) + strlen(in->app->spec->ns) + strlen(reason) + 2);
    buf_add(&b, in->app->spec->name, strlen(in->app->spec->name) + 1);
    buf_add(&b, in->app->spec->ns, strlen(in->app->spec->ns) + 1);
    buf_adds(&b, reason);
    char *words = xmalloc(b.len + 1); /* no larger than it is: a thousand of them stay */
    memcpy(words, b.data, b.len + 1);
    return words;
}

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
        .words = join_words(in, !c->deleted),
    };
}

void events_write(const struct event *e, struct buf *line)
{
    struct json_out j = JSON_OUT(line);
    const char *name = e->words, *ns = name + strlen(name) + 1, *reason = ns + strlen(ns) + 1;
    json_open(&j, NULL, '{');
    json_str(&j, "jsonrpc", "2.0");
    json_str(&j, "method", "event");
    json_open(&j, "params", '{');
    json_int(&j, "seq", e->seq);
    json_time(&j, "time", e->time);
    json_str(&j, "app", name);
    json_str(&j, "namespace", ns);
    json_int(&j, "id", e->id);
    json_str(&j, "event", e->deleted ? "deleted" : life_name(e->life));
    json_str(&j, "reason", cause_name(e->cause));
    if (e->pid)
        json_int(&j, "pid", e->pid);
    if (*reason)
        json_str(&j, "text", reason);
    if (e->ended) {
        show_exit(&j, e->exit.known ? &e->exit : NULL);
        json_int(&j, "uptime_ms", e->uptime);
    }
    json_close(&j, '}');
    json_close(&j, '}');
    buf_addc(line, '\n');
}

const struct event *events_add(struct events *ev, const struct change *c)
{
    struct event *slot;
    if (ev->n < EVENTS_KEPT) {
        if (ev->n == 0 || (ev->n >= 16 && (ev->n & (ev->n - 1)) == 0)) /* doubles at powers of two */
            ev->ring = xrealloc(ev->ring, MAX(ev->n * 2, (size_t)16) * sizeof(*ev->ring));
        slot = &ev->ring[ev->n++];
    } else {
        slot = &ev->ring[ev->at];
        ev->at = (ev->at + 1) % EVENTS_KEPT;
        free(slot->words);
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
        free(ev->ring[i].words);
    free(ev->ring);
    *ev = (struct events){ 0 };
}
