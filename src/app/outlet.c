#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "base/log.h"
#include "os/sock.h"

static struct outlet *make(struct instance *in, int which, const int fds[2], enum pump_need need)
{
    struct world *w = in->app->world;
    struct outlet *o = xnew(struct outlet);
    *o = (struct outlet){ .stream = ++w->next_stream, .fds = { fds[0], fds[1] }, .in = in, .which = which };
    o->state = need == PUMP_OR_FAIL ? OUTLET_OPENING : OUTLET_OPEN;
    map_put(&w->by_stream, o->stream, o);
    in->outlets[which] = o;
    own_text path = instance_log_path(in, which);
    pump_add(w->pump, o->stream, fds[0], path, need);
    return o;
}

int outlet_open(struct instance *in, int which, struct err *e)
{
    int fds[2];
    if (os_pipe(fds) < 0)
        return err_sys(e, "log pipe");
    fcntl(fds[0], F_SETFL, O_NONBLOCK); /* our end alone: the app's must block when it is full */
    make(in, which, fds, PUMP_OR_FAIL);
    return 0;
}

void outlet_adopt(struct instance *in, int which, const int fds[2])
{
    make(in, which, fds, PUMP_OR_DROP);
}

void outlet_close(struct outlet *o)
{
    if (o->state == OUTLET_CLOSING)
        return;
    o->state = OUTLET_CLOSING;
    pump_remove(o->in->app->world->pump, o->stream);
}

static void forget(struct world *w, struct outlet *o)
{
    map_remove(&w->by_stream, o->stream);
    close(o->fds[0]);
    close(o->fds[1]);
    o->in->outlets[o->which] = NULL;
    free(o);
}

void outlet_told(void *world, const struct pump_news *news)
{
    struct world *w = world;
    struct outlet *o = map_get(&w->by_stream, news->stream);
    if (!o)
        return;
    struct instance *in = o->in;
    const char *name = in->app->spec->name;
    own_text path = NULL;
    switch (news->type) {
    case PUMP_OPENED:
        if (o->state == OUTLET_OPENING) {
            o->state = OUTLET_OPEN;
            instance_outlet_opened(in);
        }
        break;
    case PUMP_FAILED:
        path = instance_log_path(in, o->which);
        forget(w, o);
        instance_outlet_failed(in, path, news->error);
        break;
    case PUMP_REMOVED:
        forget(w, o);
        instance_outlet_closed(in);
        break;
    case PUMP_TROUBLE:
        path = instance_log_path(in, o->which);
        o->error = news->error;
        log_error("%s %lld: log %s: %s; its output is dropped until that is mended", name, (long long)in->id,
                  path, strerror(news->error));
        break;
    case PUMP_BETTER:
        o->error = 0;
        o->dropped = news->dropped;
        log_info("%s %lld: log is written again; %lld bytes were dropped", name, (long long)in->id,
                 (long long)news->dropped);
        break;
    }
}
