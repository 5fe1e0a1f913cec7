#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "base/log.h"
#include "os/pump.h"

/* The same number in the next daemon: it finds by it what we left half done. */
static uint64_t stream_number(const struct instance *in, int which)
{
    return (uint64_t)in->id * OUTLET_N + (uint64_t)which + 1;
}

int outlet_target(const struct instance *in, int which, struct pump_target *to, char **take_path,
                  struct rights **take_rights, struct err *e)
{
    const struct app_spec *s = in->app->spec;
    int r = app_log_rights(in->app, take_rights, e);
    *take_path = instance_log_path(in, which);
    *to = (struct pump_target){
        .path = *take_path,
        .rights = *take_rights,
        .rotate = { .max = s->log_max_size, .keep = (int)s->log_retain_count, .compress = s->log_compress },
        .formatted = s->log_type == LOG_TYPE_JSON || s->log_date_format,
        .lines = { .json = s->log_type == LOG_TYPE_JSON,
                   .date_format = s->log_date_format,
                   .stream = which == OUTLET_OUT ? "out" : "err",
                   .app = s->name,
                   .id = in->id },
    };
    return r;
}

static struct outlet *find(const struct world *w, uint64_t stream)
{
    const struct instance *in = stream ? world_instance(w, (int64_t)((stream - 1) / OUTLET_N)) : NULL;
    return in ? in->outlets[(stream - 1) % OUTLET_N] : NULL;
}

/* Made with the first outlet, and kept before anything can be in it. */
static void need_transit(struct world *w)
{
    if (w->transit_tried)
        return;
    w->transit_tried = true;
    if (transit_make(w->transit) < 0)
        return;
    keeper_link_put(w->keeper, "transit", w->transit, TRANSIT_FDS);
    pump_use_transit(w->pump, w->transit);
}

void outlet_adopt_transit(struct world *w, const int fds[TRANSIT_FDS])
{
    memcpy(w->transit, fds, sizeof(w->transit));
    w->transit_tried = true;
    pump_use_transit(w->pump, w->transit);
}

static struct outlet *make(struct instance *in, const struct pump_target *to, int which, const int fds[2],
                           enum pump_need need)
{
    struct world *w = in->app->world;
    struct outlet *o = xnew(struct outlet);
    *o = (struct outlet){
        .stream = stream_number(in, which), .fds = { fds[0], fds[1] }, .in = in, .which = (uint8_t)which
    };
    o->state = need == PUMP_OR_FAIL ? OUTLET_OPENING : OUTLET_OPEN;
    in->outlets[which] = o;
    pump_add(w->pump, o->stream, fds[0], to, need);
    return o;
}

int outlet_open(struct instance *in, int which, struct err *e)
{
    int fds[2];
    own_text path = NULL;
    own_rights rights = NULL;
    struct pump_target to;
    if (outlet_target(in, which, &to, &path, &rights, e) < 0)
        return -1;
    if (os_pump_pipe(fds) < 0)
        return err_sys(e, "log pipe");
    need_transit(in->app->world);
    make(in, &to, which, fds, PUMP_OR_FAIL);
    world_sample(in->app->world); /* which sees whether that hangs */
    return 0;
}

void outlet_retarget(struct outlet *o)
{
    own_text path = NULL;
    own_rights rights = NULL;
    struct pump_target to;
    struct err e;
    if (outlet_target(o->in, o->which, &to, &path, &rights, &e) < 0)
        log_warn("%s: its logs: %s", o->in->app->spec->name, e.text);
    pump_change(o->in->app->world->pump, o->stream, &to);
}

void outlet_adopt(struct instance *in, int which, const int fds[2])
{
    own_text path = NULL;
    own_rights rights = NULL;
    struct pump_target to;
    struct err e;
    if (outlet_target(in, which, &to, &path, &rights, &e) < 0)
        log_warn("%s: its logs: %s", in->app->spec->name, e.text);
    make(in, &to, which, fds, PUMP_OR_DROP);
}

void outlet_close(struct outlet *o)
{
    if (o->state == OUTLET_CLOSING)
        return;
    o->state = OUTLET_CLOSING;
    pump_remove(o->in->app->world->pump, o->stream);
}

void outlet_free(struct outlet *o)
{
    close(o->fds[0]);
    close(o->fds[1]);
    free(o);
}

static void forget(struct outlet *o)
{
    o->in->outlets[o->which] = NULL;
    outlet_free(o);
}

static struct outlet *find_abandoned(const struct world *w, uint64_t stream)
{
    return w->abandoned ? map_get(w->abandoned, stream) : NULL;
}

bool outlet_abandon(struct outlet *o)
{
    struct instance *in = o->in;
    struct world *w = in->app->world;
    if (find_abandoned(w, o->stream))
        return false;
    own_text path = instance_log_path(in, o->which);
    int bytes;
    if (os_pump_waiting(o->fds[0], &bytes) && bytes > 0)
        log_error(
            "%s %lld: log %s: not waited for; %d bytes more are lost unless its disk goes on before we end",
            in->app->spec->name, (long long)in->id, path, bytes);
    if (!w->abandoned)
        w->abandoned = xnew(struct map);
    map_put(w->abandoned, o->stream, o);
    in->outlets[o->which] = NULL;
    o->in = NULL;
    return true;
}

/* Until it is removed all news of its number are its own, also when the app has been resurrected meanwhile.
 */
static bool told_of_abandoned(struct world *w, const struct pump_news *news)
{
    struct outlet *o = find_abandoned(w, news->stream);
    if (o && news->type == PUMP_REMOVED) {
        map_remove(w->abandoned, news->stream);
        outlet_free(o);
    }
    return o;
}

void outlet_done_abandoned(struct world *w)
{
    for (size_t i = 0; w->abandoned && i < w->abandoned->cap; i++)
        if (w->abandoned->slots[i].key)
            outlet_free(w->abandoned->slots[i].value);
    if (w->abandoned)
        map_done(w->abandoned);
    free(steal(w->abandoned)); /* the pump may still tell something: on_reports() in the loop's last round */
}

bool outlet_look(struct world *w)
{
    uint64_t stream;
    int64_t busy = pump_busy_for(w->pump, &stream);
    bool stuck = busy >= OUTLET_STUCK_MS;
    const struct outlet *o = stuck ? find(w, stream) : NULL;
    if (stuck == w->logs_stuck)
        return busy >= 0;
    w->logs_stuck = stuck;
    if (!stuck) {
        log_info("logs are written again");
        return busy >= 0;
    }
    own_text path = o ? instance_log_path(o->in, o->which) : NULL;
    log_error("logs are not written: %s%s hangs (said once); apps go on until their pipes are full",
              path ? "the disk of " : "a disk", path ? path : "");
    return true;
}

static void say_note(const struct outlet *o, const char *path, const struct pump_news *news)
{
    static const char *const notes[SINK_NOTE_N] = {
        [SINK_NOTE_TRUNCATED] = "was truncated by somebody else: going on at its new end",
        [SINK_NOTE_REPLACED] = "was replaced by somebody else: going on in the new file",
        [SINK_NOTE_DELETED] = "was deleted by somebody else: made anew",
        [SINK_NOTE_NO_ROTATION] = "cannot be rotated, it grows",
    };
    log_warn("%s %lld: log %s %s%s%s (said once)", o->in->app->spec->name, (long long)o->in->id, path,
             notes[news->note], news->error ? ": " : "", news->error ? strerror(news->error) : "");
}

const char *outlet_trouble(int error)
{
    return error == EAGAIN ? "nobody reads it" : strerror(error);
}

static void say_trouble(const struct outlet *o, const char *path)
{
    log_error("%s %lld: log %s: %s; its output is dropped until that is mended", o->in->app->spec->name,
              (long long)o->in->id, path, outlet_trouble(o->error));
}

/* What was dropped is counted by the next daemon too. */
static void count_dropped(struct outlet *o, const struct pump_news *news)
{
    o->in->dropped[o->which] += news->bytes - o->dropped_here;
    o->dropped_here = news->bytes;
    if (news->type != PUMP_DROPPED)
        o->error = news->error;
    instance_put(o->in);
}

void outlet_told(void *world, const struct pump_news *news)
{
    struct world *w = world;
    if (news->type == PUMP_DONE) {
        w->log_done(w->arg, news);
        return;
    }
    if (told_of_abandoned(w, news))
        return;
    struct outlet *o = find(w, news->stream);
    if (!o)
        return;
    struct instance *in = o->in;
    own_text path = instance_log_path(in, o->which);
    switch (news->type) {
    case PUMP_OPENED:
        if (o->state == OUTLET_OPENING) {
            o->state = OUTLET_OPEN;
            instance_outlet_opened(in);
        }
        break;
    case PUMP_FAILED: {
        int which = o->which;
        forget(o);
        instance_outlet_failed(in, which, path, news->error);
        break;
    }
    case PUMP_REMOVED:
        forget(o);
        instance_outlet_closed(in);
        break;
    case PUMP_TROUBLE:
        count_dropped(o, news);
        say_trouble(o, path);
        break;
    case PUMP_DROPPED:
        count_dropped(o, news);
        break;
    case PUMP_BETTER:
        count_dropped(o, news);
        log_info("%s %lld: log %s is written again; %lld bytes were dropped so far", in->app->spec->name,
                 (long long)in->id, path, (long long)in->dropped[o->which]);
        break;
    case PUMP_NOTE:
        say_note(o, path, news);
        break;
    case PUMP_DONE:
        break;
    }
}
