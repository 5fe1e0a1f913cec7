/* An instance's log pipes: made with its first start, kept by the keeper too, and used by all of its runs.
 * What a run leaves in them (half a line, O_NONBLOCK) is not the next one's: outlet_end_run(),
 * outlet_begin_run().
 *
 * The main thread does nothing that takes a pipe's lock, for an app can keep that (os/stall.h): no read,
 * write, FIONREAD, F_GETPIPE_SZ. The log writer does; when it waits too long we look for who has the lock,
 * and end that process: everybody else's logs wait for it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/app.h"
#include "base/log.h"
#include "base/time.h"
#include "os/procstat.h"
#include "os/pump.h"
#include "os/stall.h"

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
    o->run = need == PUMP_OR_FAIL ? OUTLET_ENDED : OUTLET_RUN; /* a new one has had none */
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

/* Asked of poll(2), which takes no lock. */
static bool has_bytes(int pipe_fd)
{
    struct pollfd p = { .fd = pipe_fd, .events = POLLIN };
    return poll(&p, 1, 0) > 0 && p.revents & POLLIN;
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
    if (has_bytes(o->fds[0]))
        log_error(
            "%s %lld: log %s: not waited for; what is in its pipe is lost unless its disk responds before "
            "we end",
            in->app->spec->name, (long long)in->id, path);
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

/* A new run. */

/* For the pump, which may come to it when we have closed ours. */
static int own_copy(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Most have nothing in their pipes, and the pump is idle: then its order need not be waited for, for it obeys
 * before it touches a pipe. What the last run did not read of its stdin is taken out by the pump, too: a new
 * pipe instead would be simple, but the keeper, who holds the old one, would wait for its lock when it closes
 * that. */
bool outlet_end_run(struct instance *in)
{
    struct pump *pump = in->app->world->pump;
    struct pump_idle idle = pump_is_idle(pump);
    bool unread = has_bytes(in->input[0]), gathered = idle.idle, all = true;
    for (int i = 0; i < OUTLET_N; i++)
        gathered = gathered && !has_bytes(in->outlets[i]->fds[0]);
    for (int i = 0; i < OUTLET_N; i++) {
        struct outlet *o = in->outlets[i];
        if (o->run != OUTLET_RUN)
            continue;
        if (pump_is_stalled(pump)) { /* its disk hangs: no restart waits for that */
            o->run = OUTLET_ENDED;
            continue;
        }
        o->ticket = pump_end_run(pump, o->stream, gathered, i == 0 && unread ? own_copy(in->input[0]) : -1);
        o->run = OUTLET_ENDING;
    }
    bool at_once = gathered && !unread && pump_was_idle(pump, idle);
    for (int i = 0; i < OUTLET_N; i++) {
        struct outlet *o = in->outlets[i];
        if (o->run == OUTLET_ENDING && (at_once || pump_has_ended(pump, o->ticket)))
            o->run = OUTLET_ENDED;
        all = all && o->run == OUTLET_ENDED;
    }
    return all;
}

/* O_NONBLOCK and their like belong to the open file, which all runs share with us: not our ends, which no
 * child gets. A change of O_ASYNC would take the pipe's lock: that stays. */
static void as_made(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && flags & (O_NONBLOCK | O_APPEND | OS_PUMP_PACKETS))
        fcntl(fd, F_SETFL, flags & ~(O_NONBLOCK | O_APPEND | OS_PUMP_PACKETS));
}

void outlet_begin_run(struct instance *in)
{
    as_made(in->input[0]);
    for (int i = 0; i < OUTLET_N; i++) {
        as_made(in->outlets[i]->fds[1]);
        in->outlets[i]->run = OUTLET_RUN;
    }
}

ssize_t outlet_send(struct instance *in, const struct buf *text, uint64_t ticket)
{
    if (!has_bytes(in->input[0]) ||
        !in->outlets[0]) /* who has the lock of an empty pipe lets go of it at once */
        return write(in->input[1], text->data, text->len);
    int fd = own_copy(in->input[1]);
    if (fd < 0)
        return -1;
    pump_send(in->app->world->pump, in->outlets[0]->stream, ticket, fd, xstrndup(text->data, text->len),
              time_mono_ms() + OUTLET_SEND_MS);
    errno = EINPROGRESS;
    return -1;
}

static void told_of_end(struct instance *in, unsigned ticket, bool all_before)
{
    bool waited = false, all = true;
    for (int i = 0; i < OUTLET_N; i++) {
        struct outlet *o = in->outlets[i];
        if (o && o->run == OUTLET_ENDING &&
            (o->ticket == ticket || (all_before && (int)(ticket - o->ticket) >= 0))) {
            o->run = OUTLET_ENDED;
            waited = true;
        }
        all = all && o && o->run == OUTLET_ENDED;
    }
    if (waited && all && in->life == LIFE_STARTING && !in->pid && instance_has_outlets(in))
        world_defer_spawn(in);
}

/* The pump hangs: all who wait begin without it. */
static void told_of_ends(struct world *w, unsigned ticket)
{
    list_each (l, &w->apps) {
        const struct app *a = container_of(l, struct app, link);
        for (size_t i = 0; i < a->n; i++)
            told_of_end(a->instances[i], ticket, true);
    }
}

/* Who holds up the pump. */

static void end_holder(const struct instance *in, const char *pipe, const struct os_holder *h)
{
    char name[20];
    procstat_name(h->pid, name);
    if (procstat_kill(h->pid, h->start, SIGKILL) < 0)
        return;
    log_error(
        "%s %lld: process %d (%s) killed: it kept the pipe of %s locked, by %s that does not return, and the "
        "logs of all apps waited for it",
        in->app->spec->name, (long long)in->id, (int)h->pid, name, pipe,
        h->rank == OS_HOLDER_SURE ? "a splice(2)" : "a system call");
}

/* Of processes with the pipe open it is only sure of some that they hold it. Others must be the app's user's:
 * a pipe can be sent to anybody. */
static bool may_end(const struct world *w, const struct os_holder *h, enum os_holder_rank most, uid_t owner)
{
    return h->rank <= most && h->pid > 1 && h->pid != w->keeper_pid &&
           (h->rank == OS_HOLDER_SURE || h->uid == owner);
}

/* The pump waits for a pipe's lock. The first looks are for those that certainly have it. Then everybody is
 * taken who could, and the main process in any case: by then no log has been written for half a second. A log
 * file that is a FIFO is open in others' processes, too: of those only they are ended who certainly do it. */
static void told_of_stall(struct world *w, const struct pump_news *news)
{
    enum { LIKE_FROM = 2, OPEN_FROM = 3, AGAIN = 32, MOST = 64 };
    struct os_pipe_name at[2], own, input;
    struct os_holder found[MOST];
    struct stat st;
    int looks = news->error;
    size_t n_at = looks <= OPEN_FROM || looks % AGAIN == 0 ? os_stall_pipes((int)news->bytes, at) : 0;
    const struct outlet *o = n_at ? find(w, news->stream) : NULL;
    if (!o || !os_pipe_name(o->fds[0], &own) || !os_pipe_name(o->in->input[0], &input) ||
        fstat(o->fds[1], &st) < 0)
        return;
    struct instance *in = o->in;
    const char *ours = NULL;
    bool ended = false;
    for (size_t i = 0; i < n_at; i++) {
        const char *is = text_equal(at[i].text, input.text)  ? "its stdin"
                         : !text_equal(at[i].text, own.text) ? NULL
                         : o->which == OUTLET_OUT            ? "its stdout"
                                                             : "its stderr";
        enum os_holder_rank most = !is || looks < LIKE_FROM ? OS_HOLDER_SURE
                                   : looks < OPEN_FROM      ? OS_HOLDER_LIKE
                                                            : OS_HOLDER_OPEN;
        size_t n = os_stall_holders(&at[i], most == OS_HOLDER_OPEN, found, MOST);
        ours = is ? is : ours;
        for (size_t k = 0; k < n; k++) {
            if (!may_end(w, &found[k], most, st.st_uid))
                continue;
            end_holder(in, is ? is : at[i].text, &found[k]);
            ended = true;
        }
    }
    if (ours && !ended && looks >= OPEN_FROM && in->pid)
        end_holder(in, ours,
                   &(struct os_holder){ .pid = in->pid, .start = in->start, .rank = OS_HOLDER_OPEN });
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
    if (news->type == PUMP_DONE || news->type == PUMP_SENT) {
        w->log_done(w->arg, news);
        return;
    }
    if (news->type == PUMP_STALLED) {
        told_of_stall(w, news);
        return;
    }
    if (news->type == PUMP_ENDED && news->stream == 0) {
        told_of_ends(w, (unsigned)news->bytes);
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
    case PUMP_ENDED:
        told_of_end(in, (unsigned)news->bytes, false);
        break;
    case PUMP_STALLED:
    case PUMP_SENT:
    case PUMP_DONE:
        break;
    }
}
