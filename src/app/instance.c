#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/app.h"
#include "app/entry.h"
#include "app/strays.h"
#include "app/token.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/shared.h"
#include "base/time.h"
#include "base/units.h"
#include "os/pidfd.h"
#include "os/procstat.h"
#include "os/signame.h"

enum {
    EXEC_MS = 10000, /* in which a child that is not waited for executes its program */
    EXEC_ADOPTED_MS = 1000,
};

const char *cause_name(enum cause c)
{
    static const char *const names[CAUSE_N] = {
        [CAUSE_NONE] = "none",           [CAUSE_MANUAL] = "manual",         [CAUSE_EXIT] = "exit",
        [CAUSE_SIGNAL] = "signal",       [CAUSE_UNKNOWN] = "unknown",       [CAUSE_SPAWN] = "spawn",
        [CAUSE_NOT_READY] = "not_ready", [CAUSE_MEMORY] = "memory",         [CAUSE_WATCH] = "watch",
        [CAUSE_CRON] = "cron",           [CAUSE_UNKILLABLE] = "unkillable",
    };
    return names[c];
}

struct exit_status exit_status_of(int wait_status)
{
    if (WIFEXITED(wait_status))
        return (struct exit_status){ .known = true, .code = (uint8_t)WEXITSTATUS(wait_status) };
    return (struct exit_status){ .known = true,
                                 .signal = (uint8_t)WTERMSIG(wait_status),
                                 .core = WCOREDUMP(wait_status) };
}

/* Texts about an instance. */

void instance_set_reason(struct instance *in, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    free(in->reason);
    in->reason = xstrdup(text);
}

void instance_mark(const struct instance *in, char out[64])
{
    snprintf(out, 64, "%s-%lld", in->app->world->nonce, (long long)in->id);
}

int64_t instance_uptime(const struct instance *in)
{
    return in->pid ? time_mono_ms() - in->started_mono : -1;
}

/* logs/<name>-out.log; "-<n>" before the extension for further instances, of a configured path too. */
char *instance_log_path(const struct instance *in, int outlet)
{
    const struct app_spec *s = in->app->spec;
    const char *given = outlet == OUTLET_OUT ? s->out_file : s->error_file;
    own_text path = given ? xstrdup(given)
                          : xasprintf("%s/logs/%s-%s.log", in->app->world->home, s->name,
                                      outlet == OUTLET_OUT ? "out" : "error");
    if (in->index == 0 || s->merge_logs || text_starts(path, "/dev/"))
        return steal(path);
    const char *ext = path_ext(path);
    return xasprintf("%.*s-%d%s", (int)(strlen(path) - strlen(ext)), path, in->index, ext);
}

const struct past_life *instance_life_ended(const struct instance *in, size_t back)
{
    if (back >= MIN(in->n_lives, (size_t)LIVES_KEPT))
        return NULL;
    return &in->lives[(in->n_lives - 1 - back) % LIVES_KEPT];
}

/* Making and ending. */

struct instance *instance_new(struct app *a, int index, int64_t id)
{
    struct world *w = a->world;
    struct instance *in = xnew(struct instance);
    in->app = a;
    in->index = index;
    in->id = id;
    in->life = LIFE_STOPPED;
    in->slot = -1;
    in->uid = UID_UNKNOWN;
    in->kept_pidfd = in->kept_channel = in->input[0] = in->input[1] = -1;
    in->usage.percent = -1;
    list_init(&in->spawn_due);
    list_init(&in->sweep_due);
    map_put(&w->by_id, (uint64_t)id + 1, in);
    w->n_instances++;
    w->next_id = MAX(w->next_id, id + 1);
    a->instances = xrealloc(a->instances, (a->n + 1) * sizeof(struct instance *));
    a->instances[a->n++] = in;
    return in;
}

static void timer_closed(uv_handle_t *h)
{
    free(h);
}

static void timer_off(struct instance *in)
{
    in->deadline = 0;
    if (in->timer)
        uv_close((uv_handle_t *)steal(in->timer), timer_closed);
}

void instance_free(struct instance *in)
{
    struct app *a = in->app;
    struct world *w = a->world;
    for (int i = 0; i < OUTLET_N; i++)
        if (in->outlets[i]) /* we end as a whole: the keeper has these */
            outlet_free(in->outlets[i]);
    for (size_t i = 0; i < a->n; i++)
        if (a->instances[i] == in) {
            memmove(&a->instances[i], &a->instances[i + 1], (a->n - i - 1) * sizeof(struct instance *));
            a->n--;
            break;
        }
    in->watch = pidwatch_free(in->watch);
    in->leftover = pidwatch_free(in->leftover);
    sweep_forget(in);
    in->report = pidwatch_free(in->report);
    in->channel = channel_free(in->channel);
    instance_free_notify(in);
    fd_done(&in->input[0]);
    fd_done(&in->input[1]);
    usage_forget(&in->usage);
    list_remove(&in->spawn_due);
    list_remove(&in->sweep_due);
    map_remove(&w->by_id, (uint64_t)in->id + 1);
    if (in->pid)
        map_remove(&w->by_pid, (uint64_t)in->pid);
    w->n_instances--;
    timer_off(in);
    free(in->reason);
    free(in->spawn_error);
    free(in->status_text);
    shared_set(&in->token, NULL);
    shared_set(&in->interpreter, NULL);
    shared_set(&in->exec, NULL);
    free(in->lives);
    json_decref(in->unknown);
    free(in);
}

void instance_put(struct instance *in)
{
    entry_put_instance(in);
}

/* Moving. */

static void look_at_closing(struct instance *in);
static void look_at_exec(struct instance *in);

static void on_timer(uv_timer_t *t)
{
    struct instance *in = t->data;
    timer_off(in);
    if (in->closing) {
        look_at_closing(in);
        return;
    }
    if (in->life == LIFE_STARTING && in->pid && in->unexecuted)
        look_at_exec(in);
    else
        instance_feed(in, EV_TIMEOUT, in->life == LIFE_STARTING ? CAUSE_NOT_READY : in->cause);
}

/* The timer to in->deadline, which may be past. */
static void timer_set(struct instance *in)
{
    uv_loop_t *loop = in->app->world->loop;
    int64_t left = in->deadline - time_mono_ms();
    if (!in->timer) {
        in->timer = xnew(uv_timer_t);
        uv_timer_init(loop, in->timer);
        in->timer->data = in;
    }
    uv_update_time(loop);
    uv_timer_start(in->timer, on_timer, left > 0 ? (uint64_t)left : 0, 0);
}

/* The one writer of `life`, the one place that tells. What the next daemon must know is in the keeper's hands
 * before anything is done about it. */
static void enter(struct instance *in, enum life to, enum cause cause, const struct past_life *ended)
{
    struct change c = { .in = in, .from = in->life, .cause = cause, .ended = ended };
    struct world *w = in->app->world;
    in->life = to;
    in->cause = cause;
    if (c.from != to)
        in->seq = ++w->seq;
    if (!life_is_stopping(to) && to != LIFE_STUCK) { /* that one is still being swept, by force */
        in->signalled = in->forced = false;
        in->unsure_looks = 0;
        in->forbidden = 0;
        if (!in->dirty)
            in->leftover = pidwatch_free(in->leftover);
    }
    if (c.from != to && !ended && in->end_untold && !life_is_stopping(to))
        c.ended = instance_life_ended(in, 0);
    if (c.from != to && c.ended)
        in->end_untold = false;
    instance_put(in);
    if (c.from == to)
        return;
    for (int i = 0; i < OUTLET_N && life_is_settled(to); i++)
        if (in->outlets[i])
            pump_hurry(w->pump, in->outlets[i]->stream); /* who hears of the end looks at the last words */
    log_debug("%s %lld: %s -> %s (%s)", in->app->spec->name, (long long)in->id, life_key(c.from),
              life_key(to), cause_name(cause));
    w->changed(w->arg, &c);
    world_touch(in->app);
}

bool instance_ready(struct instance *in)
{
    launch_settle(in); /* of two descriptors that are readable, this one may come first */
    return in->app->spec->wait_ready && instance_executed(in) && in->life == LIFE_STARTING &&
           instance_feed(in, EV_READY, in->cause);
}

static void on_said(void *arg, const char *line, size_t n)
{
    struct instance *in = arg;
    if (channel_is_ready(line, n))
        instance_ready(in);
}

void instance_open_channel(struct instance *in, int take_fd)
{
    in->channel = channel_new(in->app->world->loop, take_fd, on_said, in);
}

/* shutdown_with_message: in place of the signal. False: it cannot be sent, the signal must do. */
static bool send_stop_message(struct instance *in)
{
    const struct app_spec *s = in->app->spec;
    if (!s->shutdown_with_message || s->kill_timeout == 0)
        return false;
    if (channel_send(in->channel, s->shutdown_message))
        return true;
    log_info("%s %lld: the shutdown message cannot be sent, the signal goes", s->name, (long long)in->id);
    return false;
}

/* The message to the main process, which then ends its children itself; or kill_signal to the whole group (to
 * the main process alone). SIGCONT follows: a suspended process handles neither. What the group does not
 * reach gets the signal from the sweep: at once, or after a message once the main process has exited. */
static void send_stop_signal(struct instance *in)
{
    const struct app_spec *s = in->app->spec;
    int sig = s->kill_timeout == 0 ? SIGKILL : (int)s->kill_signal;
    pid_t to = s->treekill ? -in->pid : in->pid;
    struct proc_info now;
    in->message_sent = in->group_told = false;
    if (!in->pid || procstat_look(in->pid, in->start, &now) == PROCSTAT_GONE)
        return; /* its exit is on its way */
    if (send_stop_message(in)) {
        in->message_sent = true;
        in->tell_leftovers = false;
    } else {
        in->group_told = kill(to, sig) == 0;
    }
    if (sig != SIGKILL)
        kill(to, SIGCONT);
    if (kill(in->pid, 0) < 0 && errno == EPERM) /* it has become another user; the sweep judges that */
        in->scattered = true;
}

static void begin_stop(struct instance *in)
{
    fault_point("stop.entered");
    if (!in->signalled) {
        in->scattered = strays_look(in);
        in->tell_leftovers = !in->clearing; /* else they have been told */
        sweep_forget(in);
        in->dirty = false;
        send_stop_signal(in);
        fault_point("stop.signalled");
        in->signalled = true;
    }
    in->deadline = time_mono_ms() + in->app->spec->kill_timeout;
    timer_set(in);
    instance_put(in); /* a second SIGTERM would be better than none: so it is noted behind */
    fault_point("stop.noted");
    if (!in->pid || in->tell_leftovers || in->scattered)
        world_defer_sweep(in);
}

/* Grace is over: the sweep kills all it finds, and after SWEEP_STUCK_MS judges what is left. */
static void use_force(struct instance *in)
{
    int64_t now = time_mono_ms();
    strays_look(in);
    if (!in->forced) {
        in->forced = true;
        in->forced_at = now;
        log_info("%s %lld: not gone after %lld ms: SIGKILL", in->app->spec->name, (long long)in->id,
                 (long long)in->app->spec->kill_timeout);
    }
    in->deadline = now + SWEEP_STUCK_MS;
    timer_set(in);
    instance_put(in);
    world_defer_sweep(in);
}

void instance_stuck(struct instance *in)
{
    log_error("%s %lld: survives SIGKILL (a process in uninterruptible sleep?)", in->app->spec->name,
              (long long)in->id);
    instance_set_reason(in, "unkillable: something of it is left %lld s after SIGKILL",
                        (long long)(time_mono_ms() - in->forced_at) / 1000);
    instance_feed(in, EV_STUCK, CAUSE_UNKILLABLE);
}

/* Not by its name: to look that up may take long. */
static char *user_name(uid_t uid)
{
    return uid == 0 ? xstrdup("root") : xasprintf("uid %u", (unsigned)uid);
}

void instance_forbidden(struct instance *in, pid_t pid)
{
    uid_t uid;
    char name[20];
    if (in->life == LIFE_STUCK)
        return; /* that was said */
    procstat_name(pid, name);
    own_text theirs = procstat_user(pid, &uid) ? user_name(uid) : xstrdup("another user");
    own_text ours = user_name(geteuid());
    instance_set_reason(in, "not permitted to signal process %d (%s): it runs as %s, the daemon as %s",
                        (int)pid, name, theirs, ours);
    log_error("%s %lld: %s", in->app->spec->name, (long long)in->id, in->reason);
    in->forbidden = pid;
    instance_feed(in, EV_STUCK, CAUSE_UNKILLABLE);
}

static void do_deeds(struct instance *in, unsigned deeds)
{
    if (deeds & DO_DELAY)
        timer_set(in);
    if ((deeds & DO_SPAWN) && in->dirty)
        sweep_dirty(in); /* it may have been given up while nothing was to start */
    if (deeds & DO_SPAWN)
        world_defer_spawn(in);
    if (deeds & DO_TERM)
        begin_stop(in);
    if (deeds & DO_KILL)
        use_force(in);
    if (deeds & DO_SWEEP)
        world_defer_sweep(in);
}

static bool feed(struct instance *in, enum life_event ev, enum cause cause, const struct past_life *ended)
{
    struct move m = life_next(in->life, ev);
    if (!m.valid)
        return false;
    if (ev == EV_START || ev == EV_RESTART) {
        in->commanded = cause == CAUSE_MANUAL;
        if (in->commanded) /* a person says: again, from the beginning */
            in->memory = (struct policy_memory){ 0 };
        in->fails = 0;
        if (cause != CAUSE_WATCH) /* that one says which file it was */
            text_free(&in->reason);
    }
    if (m.deeds & DO_CALM)
        timer_off(in);
    if ((ev == EV_START || ev == EV_RESTART) && m.to == LIFE_STARTING && in->started_wall)
        sweep_dirty(in);
    enter(in, m.to, cause, ended);
    do_deeds(in, m.deeds);
    return true;
}

bool instance_feed(struct instance *in, enum life_event ev, enum cause cause)
{
    return feed(in, ev, cause, NULL);
}

void instance_command(struct instance *in, enum life_event ev, const char *token, bool retry)
{
    char command = ev == EV_START ? TOKEN_START : ev == EV_STOP ? TOKEN_STOP : TOKEN_RESTART;
    if (retry && token_matches(in->token, command, token))
        return;
    own_text recorded = token_record(command, token);
    shared_set(&in->token, recorded);
    instance_feed(in, ev, CAUSE_MANUAL); /* the put of this very step carries the token */
}

/* Endings. */

static struct past_life *remember(struct instance *in, const struct exit_status *x, enum cause cause)
{
    if (!in->lives)
        in->lives = xcalloc(1, sizeof(*in->lives));
    else if (in->n_lives < LIVES_KEPT)
        in->lives = xrealloc(in->lives, (in->n_lives + 1) * sizeof(*in->lives));
    if (in->n_lives == 2 * LIVES_KEPT)
        in->n_lives = LIVES_KEPT; /* all of them, the same place in the ring */
    struct past_life *p = &in->lives[in->n_lives++ % LIVES_KEPT];
    *p = (struct past_life){ .started = in->started_wall,
                             .ended = time_wall_ms(),
                             .uptime = MAX(instance_uptime(in), (int64_t)0),
                             .cause = cause,
                             .exit = *x };
    return p;
}

static enum cause cause_of(const struct exit_status *x)
{
    return !x->known ? CAUSE_UNKNOWN : x->signal ? CAUSE_SIGNAL : CAUSE_EXIT;
}

static void describe(const struct instance *in, const struct past_life *p, char how[80])
{
    char limit[UNITS_TEXT];
    if (p->cause == CAUSE_NOT_READY)
        snprintf(how, 80, "not ready within %s", units_show_duration(in->app->spec->listen_timeout, limit));
    else if (!p->exit.known)
        snprintf(how, 80, "ended, nobody saw how");
    else if (p->exit.signal)
        snprintf(how, 80, "killed by SIG%s%s",
                 os_signame_short(p->exit.signal) ? os_signame_short(p->exit.signal) : "?",
                 p->exit.core ? " (core dumped)" : "");
    else
        snprintf(how, 80, "exit code %d", p->exit.code);
}

/* "exit code 1, 15 times in 2.3 s" */
static void give_reason(struct instance *in, const char *how)
{
    int64_t times = in->memory.unstable, rows = MIN(MIN(times, (int64_t)in->n_lives), (int64_t)LIVES_KEPT);
    const struct past_life *first = rows > 0 ? instance_life_ended(in, (size_t)rows - 1) : NULL;
    if (times < 2 || rows < times || !first)
        instance_set_reason(in, "%s", how);
    else
        instance_set_reason(in, "%s, %lld times in %.1f s", how, (long long)times,
                            (double)(time_wall_ms() - first->started) / 1000);
}

static void describe_exit(struct instance *in, const struct past_life *p, enum life_event ev)
{
    char how[80];
    describe(in, p, how);
    log_info("%s %lld: %s after %lld ms", in->app->spec->name, (long long)in->id, how, (long long)p->uptime);
    if (ev == EV_GIVE_UP)
        give_reason(in, how);
    else if (ev == EV_LATER)
        instance_set_reason(in, "%s", how);
    else
        text_free(&in->reason);
}

void instance_describe_end(const struct instance *in, struct err *e)
{
    char how[80] = "it ended";
    const struct past_life *p = instance_life_ended(in, 0);
    if (p)
        describe(in, p, how);
    err_set(e, p && p->cause == CAUSE_NOT_READY ? ERR_TIMEOUT : ERR_FAILED, "%s", how);
    err_hint(e, "velos logs %s shows its last words", in->app->spec->name);
}

void instance_reset(struct instance *in)
{
    in->restarts = 0;
    memset(in->counters, 0, sizeof(in->counters));
    in->memory = (struct policy_memory){ 0 };
    instance_put(in);
}

/* What policy says to an exit, or to a child that was not ready in time. */
static void judge(struct instance *in, const struct past_life *p, bool not_ready)
{
    int64_t delay = 0;
    struct policy_exit x = {
        .not_ready = not_ready,
        .signalled = !p->exit.known || p->exit.signal,
        .code = p->exit.code,
        .uptime = p->uptime,
    };
    enum life_event ev = policy_judge(in->app->spec, &in->memory, &x, &delay);
    describe_exit(in, p, ev);
    in->fails++;
    if (ev == EV_AGAIN || ev == EV_LATER) {
        in->restarts++;
        in->counters[p->cause]++;
        in->commanded = false;
        in->deadline = ev == EV_LATER ? time_mono_ms() + delay : 0;
    }
    feed(in, ev, p->cause, p);
}

/* Of a child that somebody else reaped (our own: world_reap). While the group has members its number is
 * nobody else's; without any it might be a new process's by now. */
static void kill_rest_of_group(const struct instance *in)
{
    struct proc_info now;
    bool read = in->app->spec->treekill && procstat_read(in->pid, &now);
    if (in->app->spec->treekill && (read ? now.start == in->start : errno == ESRCH))
        kill(-in->pid, SIGKILL);
}

void instance_exited(struct instance *in, const struct exit_status *x)
{
    struct world *w = in->app->world;
    launch_settle(in);
    if (!in->pid) /* it never was its program */
        return;
    bool stopping = life_is_stopping(in->life) || in->life == LIFE_STUCK;
    if (in->adopted && !stopping)
        kill_rest_of_group(in);
    const struct past_life *p = remember(in, x, stopping ? in->cause : cause_of(x));
    map_remove(&w->by_pid, (uint64_t)in->pid);
    in->last_pid = in->pid;
    in->pid = 0;
    in->start = 0;
    in->adopted = false;
    in->watch = pidwatch_free(in->watch);
    in->report = pidwatch_free(in->report);
    in->channel = channel_free(in->channel);
    fd_done(&in->kept_pidfd);
    fd_done(&in->kept_channel);
    entry_drop_fds(in, ENTRY_PIDFD);
    entry_drop_fds(in, ENTRY_CHANNEL);
    text_free(&in->status_text);
    usage_forget(&in->usage);
    in->over_limit = 0;
    in->last_exit = *x;
    in->has_exited = true;
    in->end_untold = stopping;
    if (stopping) {
        in->tell_leftovers |= in->message_sent;
        feed(in, EV_EXITED, in->cause, NULL); /* told with the state that comes of it */
    } else {
        sweep_dirty(in);
        in->group_told = true; /* it was killed */
        judge(in, p, false);
    }
}

/* exec has succeeded: that is ready, unless the app is to say so itself. */
void instance_spawned(struct instance *in)
{
    text_free(&in->reason);
    free(steal(in->spawn_error));
    in->unexecuted = false;
    if (!in->app->spec->wait_ready) {
        instance_feed(in, EV_READY, in->cause);
        return;
    }
    in->deadline = time_mono_ms() + in->app->spec->listen_timeout;
    timer_set(in);
    instance_put(in);
    world_touch(in->app); /* exec has succeeded: who did not ask for more than that has his answer */
}

/* A child that has changed its user before exec is in the hands of all processes of that user: they may stop
 * it there, or have its directory and program where nothing answers. Nothing waits for it but this instance.
 */

static void on_report(void *arg)
{
    launch_settle(arg);
}

void instance_await_exec(struct instance *in, int take_report)
{
    bool adopted =
        take_report < 0; /* its report went with the daemon before us: there is only this to look at */
    in->unexecuted = true;
    in->deadline = time_mono_ms() + (adopted ? EXEC_ADOPTED_MS : EXEC_MS);
    timer_set(in);
    if (!adopted)
        in->report = pidwatch_new(in->app->world->loop, take_report, on_report, in);
}

bool instance_executed(const struct instance *in)
{
    return in->pid && !in->unexecuted;
}

static bool has_executed(pid_t pid)
{
    struct proc_info now;
    return !procstat_read(pid, &now) || now.executed;
}

/* By now it should have been its program. A child that is not is ended as any other, and is a failed spawn
 * once it is gone. */
static void look_at_exec(struct instance *in)
{
    launch_settle(in);
    if (in->life != LIFE_STARTING || !in->pid || !in->unexecuted)
        return;
    if (!in->report && has_executed(in->pid)) {
        instance_spawned(in);
        return;
    }
    in->report = pidwatch_free(in->report);
    procstat_kill(in->pid, in->start, SIGKILL);
    instance_feed(in, EV_TIMEOUT, CAUSE_SPAWN);
}

void instance_spawn_failed(struct instance *in, const struct err *e)
{
    int64_t delay = 0;
    struct policy_exit x = { .spawn_failed = true, .commanded = in->commanded };
    enum life_event ev = policy_judge(in->app->spec, &in->memory, &x, &delay);
    if (!in->commanded && in->life != LIFE_FAILING) { /* else the person has the error, and it is no life */
        struct past_life *p = remember(in, &(struct exit_status){ 0 }, CAUSE_SPAWN);
        p->started = p->ended;
    }
    if (ev == EV_LATER || ev == EV_AGAIN) {
        in->restarts++;
        in->counters[CAUSE_SPAWN]++;
    }
    in->fails++;
    if (ev == EV_GIVE_UP)
        give_reason(in, e->text);
    else
        instance_set_reason(in, "%s", e->text);
    free(in->spawn_error);
    in->spawn_error = xmalloc(sizeof(*e));
    *in->spawn_error = *e;
    in->deadline = ev == EV_LATER ? time_mono_ms() + delay : 0;
    feed(in, ev, CAUSE_SPAWN, NULL);
}

void instance_gone(struct instance *in)
{
    in->dirty = false;
    if (in->life == LIFE_FAILING && in->cause == CAUSE_SPAWN) {
        launch_never_executed(in);
        return;
    }
    if (in->life == LIFE_FAILING) {
        const struct past_life *p = instance_life_ended(in, 0);
        if (p)
            judge(in, p, true);
        return;
    }
    if (in->life == LIFE_RESTARTING) {
        in->restarts++;
        in->counters[in->cause]++;
    }
    instance_feed(in, EV_GONE, in->cause);
}

/* Outlets. */

bool instance_has_outlets(const struct instance *in)
{
    for (int i = 0; i < OUTLET_N; i++)
        if (!in->outlets[i] || in->outlets[i]->state != OUTLET_OPEN)
            return false;
    return true;
}

void instance_outlet_opened(struct instance *in)
{
    if (!instance_has_outlets(in))
        return;
    if (in->input[1] >= 0)
        entry_put_fds(in, ENTRY_PIPES); /* kept before anything is written to them */
    if (in->life == LIFE_STARTING && !in->pid)
        world_defer_spawn(in);
}

void instance_outlet_failed(struct instance *in, int which, const char *path, int error)
{
    struct err e;
    const char *user = in->app->spec->user;
    own_rights rights = NULL;
    bool another = app_log_rights(in->app, &rights, &e) < 0 || (rights && !place_is_roots(rights, path));
    if (another) {
        own_text dir = path_dir(path);
        err_set(&e, ERR_SPAWN, "%s: open %s as user %s: %s", which == OUTLET_OUT ? "out_file" : "error_file",
                path, user, strerror(error));
        if (error == EACCES || error == EROFS)
            err_hint(&e, "let that user write there: chown %s %s; or have only root change its directory",
                     user, dir);
    } else {
        err_set(&e, ERR_SPAWN, "log file %s: %s", path, strerror(error));
    }
    for (int i = 0; i < OUTLET_N; i++)
        if (in->outlets[i])
            outlet_close(in->outlets[i]);
    if (in->life == LIFE_STARTING && !in->pid)
        instance_spawn_failed(in, &e);
}

static void await_outlets(struct instance *in)
{
    in->deadline = time_mono_ms() + OUTLET_STUCK_MS;
    timer_set(in);
}

/* A slow disk is waited for, one that hangs is not. */
static void look_at_closing(struct instance *in)
{
    outlet_look(in->app->world);
    bool gone = in->app->world->logs_stuck;
    for (int i = 0; i < OUTLET_N && gone; i++)
        gone = !in->outlets[i] || outlet_abandon(in->outlets[i]);
    if (gone)
        instance_outlet_closed(in);
    else
        await_outlets(in);
}

void instance_close(struct instance *in)
{
    bool open = false;
    in->closing = true;
    for (int i = 0; i < OUTLET_N; i++)
        if (in->outlets[i]) {
            outlet_close(in->outlets[i]);
            open = true;
        }
    if (!open) {
        instance_outlet_closed(in);
        return;
    }
    outlet_look(in->app->world); /* where the pump is now: in a while it is to be elsewhere */
    await_outlets(in);
}

void instance_outlet_closed(struct instance *in)
{
    struct world *w = in->app->world;
    for (int i = 0; i < OUTLET_N; i++)
        if (in->outlets[i])
            return;
    if (!in->closing) {
        if (in->life == LIFE_STARTING && !in->pid)
            world_defer_spawn(in); /* a start that waited for a failed one to be cleared away */
        return;
    }
    entry_forget_instance(in);
    fault_point("delete.instance");
    in->seq = ++w->seq;
    world_put(w); /* numbers of what is gone are not given again */
    struct change c = { .in = in, .from = in->life, .cause = CAUSE_MANUAL, .deleted = true };
    w->changed(w->arg, &c);
    world_touch(in->app);
    instance_free(in);
}

/* Taking over. */

/* How a process ended that somebody else reaps: the kernel keeps it with the pidfd (once reaped), or with the
 * zombie (in a container whose init does not reap, that may be for ever). */
static struct exit_status ask_how_it_ended(const struct instance *in, int pidfd)
{
    struct proc_info now;
    int status;
    if (pidfd >= 0 && os_pidfd_status(pidfd, &status))
        return exit_status_of(status);
    if (procstat_read(in->pid, &now) && now.start == in->start && now.state == 'Z')
        return exit_status_of(now.exit_status);
    return (struct exit_status){ 0 };
}

static void on_adopted_ended(void *arg)
{
    struct instance *in = arg;
    if (in->keeper_reaps)
        return; /* its word is on the way, with the status; if it dies before that, the next of us looks again
                 */
    struct exit_status x = ask_how_it_ended(in, pidwatch_fd(in->watch));
    instance_exited(in, &x);
}

/* Watches a child that is not ours; the pidfd goes into the entry, so that whoever comes next can still ask
 * how it ended. False if it is gone: *x says how, as far as anybody knows. */
static bool watch_adopted(struct instance *in, struct exit_status *x)
{
    struct world *w = in->app->world;
    struct proc_info now;
    int fd = steal_fd(in->kept_pidfd);
    enum procstat_there there = procstat_look(in->pid, in->start, &now);
    if (there != PROCSTAT_GONE && fd < 0 && (fd = os_pidfd_open(in->pid)) < 0 && errno == ESRCH)
        there = PROCSTAT_GONE;
    if (there == PROCSTAT_GONE) {
        keeper_link_hear(w->keeper); /* if it was the keeper's child, the keeper has told by now */
        if (!in->pid) {
            fd_done(&fd);
            return true;
        }
        *x = ask_how_it_ended(in, fd);
        fd_done(&fd);
        return false;
    }
    if (there == PROCSTAT_UNKNOWN || fd < 0)
        log_warn("%s %lld: pid %d cannot be looked at or watched: %s; taken as alive", in->app->spec->name,
                 (long long)in->id, (int)in->pid, strerror(errno));
    in->keeper_reaps = there == PROCSTAT_THERE && now.ppid == w->keeper_pid;
    if (there == PROCSTAT_THERE)
        in->start = now.start; /* it was not known of a child that was just born */
    if (fd >= 0)
        in->watch = pidwatch_new(w->loop, fd, on_adopted_ended, in);
    entry_put_fds(in, ENTRY_PIDFD);
    if (in->kept_channel >= 0)
        instance_open_channel(in, steal_fd(in->kept_channel));
    instance_put(in);
    world_sample(w);
    return true;
}

void instance_restore(struct instance *in, enum life life, enum cause cause)
{
    in->life = life;
    in->cause = cause;
    if (life != LIFE_WAITING)
        return;
    in->commanded = true;
    in->deadline = time_mono_ms();
    timer_set(in);
}

static void resume_stop(struct instance *in)
{
    if (!in->signalled) {
        begin_stop(in);
        return;
    }
    /* Whether the sweep of the daemon before us sent the signal is not known: twice is better than never. */
    in->message_sent = in->pid && in->app->spec->shutdown_with_message;
    in->tell_leftovers = !in->message_sent;
    in->group_told = in->tell_leftovers;
    in->scattered = in->pid != 0;
    timer_set(in);
    world_defer_sweep(in);
}

void instance_resume(struct instance *in)
{
    struct exit_status x = { 0 };
    if (in->pid)
        in->last_pid = in->pid;
    if (in->pid && !watch_adopted(in, &x)) {
        instance_exited(in, &x);
        return;
    }
    if (in->dirty && !in->pid)
        sweep_dirty(in);
    if (life_is_stopping(in->life))
        resume_stop(in);
    else if (in->life == LIFE_STUCK)
        world_defer_sweep(in);
    else if (in->life == LIFE_WAITING)
        timer_set(in);
    else if (in->life == LIFE_STARTING && !in->pid)
        world_defer_spawn(in);
    else if (in->life == LIFE_STARTING && !has_executed(in->pid))
        instance_await_exec(in, -1);
    else if (in->life == LIFE_STARTING && in->app->spec->wait_ready && in->deadline)
        timer_set(in);
    else if (in->life == LIFE_STARTING)
        instance_spawned(in);
}
