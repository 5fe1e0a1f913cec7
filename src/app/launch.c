/* One spawn: environment, interpreter, user, child; and what the keeper must know at each step. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "app/entry.h"
#include "app/wrapper.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/shared.h"
#include "base/time.h"
#include "conf/interp.h"
#include "conf/limits.h"
#include "os/fds.h"
#include "os/fsid.h"
#include "os/groups.h"
#include "os/sock.h"
#include "os/spawn.h"

/* What is worked out before the fork. */
struct plan {
    const struct passwd *account; /* libc's own, until it is asked again; NULL: the daemon's user */
    struct environ env;
    struct interp_plan interp;
    gid_t groups[64];
    struct os_limits limits;
    int channel; /* the child's end, or -1 */
};

static void plan_done(struct plan *p)
{
    environ_done(&p->env);
    interp_plan_done(&p->interp);
    fd_done(&p->channel);
}

/* A uid or gid; the highest number is none (chown(2)). */
static bool read_id(const char *text, unsigned *id)
{
    char *end;
    unsigned long long number = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : UINT_MAX;
    *id = (unsigned)number;
    return number < UINT_MAX && *end == '\0';
}

/* For a number that is nobody's, as files in a container or from elsewhere have. */
static const struct passwd *without_account(const struct app_spec *s, uid_t uid, struct err *e)
{
    static struct passwd made;
    if (!s->group) {
        err_set(e, ERR_SPAWN, "user %s: no account has this number", s->user);
        err_hint(e, "name its `group`, too");
        return NULL;
    }
    made = (struct passwd){ .pw_name = s->user, .pw_uid = uid, .pw_dir = "/", .pw_shell = "/bin/sh" };
    return &made;
}

/* Whose account the app's user is; NULL: it stays the daemon's. */
static int find_account(const struct app_spec *s, const struct passwd **out, struct err *e)
{
    unsigned id;
    const char *name = s->user ? s->user : "root";
    *out = NULL;
    if (!s->user && !s->group)
        return 0;
    if ((*out = getpwnam(name)))
        return 0;
    if (!read_id(name, &id))
        return err_set(e, ERR_SPAWN, "user %s: no such user", name);
    *out = getpwuid((uid_t)id);
    if (!*out)
        *out = without_account(s, (uid_t)id, e);
    return *out ? 0 : -1;
}

static int find_group(const char *name, gid_t *out, struct err *e)
{
    unsigned id = 0;
    const struct group *g = getgrnam(name);
    if (!g && !read_id(name, &id))
        return err_set(e, ERR_SPAWN, "group %s: no such group", name);
    *out = g ? g->gr_gid : (gid_t)id;
    return 0;
}

static int find_user(const struct app_spec *s, struct plan *p, struct os_spawn *o, struct err *e)
{
    if (!p->account)
        return 0;
    if (geteuid() != 0) {
        err_set(e, ERR_SPAWN, "user %s: the daemon does not run as root", s->user ? s->user : s->group);
        return err_hint(e, "start the daemon as root, or leave out `user` and `group`");
    }
    o->has_user = true;
    o->uid = p->account->pw_uid;
    o->gid = p->account->pw_gid;
    if (s->group && find_group(s->group, &o->gid, e) < 0)
        return -1;
    o->groups = p->groups;
    o->n_groups = os_groups(p->account->pw_name, o->gid, p->groups, ARRAY_LEN(p->groups));
    return 0;
}

/* What is read for an app of another user is read with that user's rights: a link in place of an env_file
 * leads to nothing that the user could not read. */
static struct os_fsid reader_of(const struct os_spawn *o)
{
    if (!o->has_user)
        return (struct os_fsid){ .uid = geteuid(), .gid = getegid() };
    return (
        struct os_fsid){ .uid = o->uid, .gid = o->gid, .groups = o->groups, .n_groups = (int)o->n_groups };
}

static int build_environ(const struct instance *in, const struct passwd *user, const struct os_spawn *o,
                         struct environ *out, struct err *e)
{
    char mark[64];
    struct os_fsid reader = reader_of(o);
    instance_mark(in, mark);
    struct environ_query q = {
        .spec = in->app->spec,
        .base = in->app->base,
        .home = in->app->world->home,
        .mark = mark,
        .notify = world_notify_address(in),
        .user = user,
        .reader = &reader,
        .id = in->id,
        .index = in->index,
    };
    return environ_build(&q, out, e);
}

int instance_environ(const struct instance *in, struct environ *out, struct err *e)
{
    struct plan p = { .channel = -1 };
    struct os_spawn o = { 0 };
    if (find_account(in->app->spec, &p.account, e) < 0 ||
        (geteuid() == 0 && find_user(in->app->spec, &p, &o, e) < 0))
        return -1;
    return build_environ(in, p.account, &o, out, e);
}

static bool wants_channel(const struct app_spec *s)
{
    return s->wait_ready || s->shutdown_with_message;
}

/* With a wrapper in front (npm start) the channel would end there: the script behind it is run instead. */
static int see_through_wrapper(const struct app_spec *s, struct interp_query *q, char ***direct,
                               struct err *e)
{
    if (!wants_channel(s) || s->interpreter)
        return 0;
    own_strv words = strv_add(NULL, s->script);
    for (char **a = s->args; a && *a; a++)
        words = strv_add(words, *a);
    int r = wrapper_resolve(words, s->cwd, direct, e);
    if (r > 0) {
        q->script = (*direct)[0];
        q->args = *direct + 1;
    }
    return r;
}

static int plan_program(struct instance *in, struct plan *p, const struct os_spawn *o, struct err *e)
{
    const struct app_spec *s = in->app->spec;
    struct interp_query q = {
        .script = s->script,
        .cwd = s->cwd,
        .interpreter = s->interpreter,
        .interpreter_args = s->interpreter_args,
        .args = s->args,
        .path = environ_get(&p->env, "PATH"),
        .fs = &interp_disk,
        .rules = &interp_unix,
    };
    own_strv direct = NULL;
    struct os_fsid reader = reader_of(o);
    if (os_fsid_enter(&reader, e) < 0)
        return -1;
    int r = see_through_wrapper(s, &q, &direct, e) < 0 ? -1 : interp_resolve(&q, &p->interp, e);
    os_fsid_leave();
    if (r < 0)
        return -1;
    if (text_starts(p->interp.interpreter, "python") && !environ_get(&p->env, "PYTHONUNBUFFERED"))
        environ_set(&p->env, "PYTHONUNBUFFERED", "1");
    return 0;
}

static int plan_user(struct instance *in, struct plan *p, struct os_spawn *o, struct err *e)
{
    if (find_user(in->app->spec, p, o, e) < 0)
        return -1;
    for (int i = 0; o->has_user && i < OUTLET_N; i++) /* so that the app may open /dev/stdout by name */
        if (fchown(in->outlets[i]->fds[1], o->uid, o->gid) < 0)
            return err_sys(e, "log pipe");
    return 0;
}

/* Why there is no child, or no program in it. */
static void explain(const struct instance *in, const char *exec, enum os_spawn_step step, int why,
                    struct err *e)
{
    const struct app_spec *s = in->app->spec;
    errno = why;
    switch (step) {
    case SPAWN_CHDIR:
        err_sys(e, "cwd %s", s->cwd);
        err_hint(e, "create the folder, or set cwd");
        break;
    case SPAWN_USER:
        err_sys(e, "become user %s", s->user ? s->user : s->group);
        break;
    case SPAWN_EXEC:
        err_sys(e, "exec %s", exec);
        if (why == ENOEXEC)
            err_hint(e, "it is no program this system can run; name one with --interpreter");
        else if (why == EACCES)
            err_hint(e, "chmod +x %s, or check the permissions of its folders", exec);
        else if (why == E2BIG)
            err_hint(e, "arguments and environment are too large together");
        break;
    default:
        err_sys(e, "fork");
        if (why == EAGAIN)
            err_hint(e, "the limit of processes is reached (ulimit -u)");
    }
    e->code = ERR_SPAWN;
    e->sys = why;
}

uid_t launch_uid(struct instance *in)
{
    const struct passwd *account;
    struct err ignored;
    if (in->uid == UID_UNKNOWN)
        in->uid =
            find_account(in->app->spec, &account, &ignored) == 0 && account ? account->pw_uid : geteuid();
    return in->uid;
}

static void went_well(struct instance *in, const struct os_birth *b, const struct interp_plan *plan)
{
    in->uid = b->how.has_user ? b->how.uid : geteuid();
    in->pid = b->pid;
    in->last_pid = b->pid;
    in->start = b->start;
    in->adopted = false;
    in->started_wall = time_wall_ms();
    in->started_mono = time_mono_ms();
    shared_set(&in->interpreter, plan->interpreter);
    shared_set(&in->exec, plan->exec);
    map_put(&in->app->world->by_pid, (uint64_t)b->pid, in);
    world_sample(in->app->world);
}

/* Its stdin: a pipe that stays open, so that who reads to the end (a watcher, a REPL) does not find it at
 * once, and `velos send` has where to write. */
static int need_input(struct instance *in, struct err *e)
{
    if (in->input[1] >= 0)
        return 0;
    if (os_pipe(in->input) < 0)
        return err_sys(e, "stdin pipe");
    fcntl(in->input[1], F_SETFL, O_NONBLOCK);
    return 0;
}

/* A new channel for each run of what speaks it; shutdown_with_message says of any program that it does. */
static int plan_channel(struct instance *in, struct plan *p, struct err *e)
{
    int pair[2];
    const struct app_spec *s = in->app->spec;
    char *const exec[] = { p->interp.exec, NULL };
    const char *cwd = s->wait_ready ? s->cwd : NULL; /* no script is read for who did not ask */
    if (!s->shutdown_with_message && !wrapper_leads_to_node(exec, NULL) &&
        !wrapper_leads_to_node(p->interp.argv, cwd))
        return 0;
    if (channel_pair(pair) < 0)
        return err_sys(e, "channel");
    instance_open_channel(in, pair[0]);
    entry_put_fds(in, ENTRY_CHANNEL); /* what the child gets is kept before it can use it */
    p->channel = pair[1];
    environ_set(&p->env, "NODE_CHANNEL_FD", "3");
    environ_set(&p->env, "NODE_CHANNEL_SERIALIZATION_MODE", "json");
    return 0;
}

/* Before an instance has its first descriptor: once it has them, the next velosd must be able to take all of
 * them over, and to watch each child (a pidfd); what it cannot look at it could not tell from dead. */
static int need_room(const struct instance *in, struct err *e)
{
    /* Pipes, logs, channel, sockets; what comes with its life. */
    enum { EACH = 12, LATER_EACH = 3, MARGIN = 64 };
    const struct world *w = in->app->world;
    long limit = os_fds_limit(), n = (long)w->n_instances;
    if (n * 2 * (EACH + LATER_EACH) < limit / 2) /* to count them may take a while (before Linux 6.2) */
        return 0;
    long open = os_fds_open();
    long later = n * LATER_EACH + MIN((long)MARGIN, limit / 8) + limit / OS_FDS_CLIENTS;
    if (open < 0 || open + later + EACH <= limit)
        return 0;
    err_set(e, ERR_LIMIT, "descriptors: the daemon may have %ld, which is no room for another instance",
            limit);
    return err_hint(
        e,
        "as root: for p in %d %d; do prlimit --nofile=%ld --pid $p; done; for good LimitNOFILE= in its unit, "
        "or a higher ulimit -n before the daemon is started",
        (int)w->keeper_pid, (int)getpid(), limit * 4);
}

/* Opens the pipes of a first start. 1: they are open; 0: not yet, the pump's word starts us again. */
static int need_pipes(struct instance *in, struct err *e)
{
    int open = 0;
    bool first = in->input[1] < 0 && !in->outlets[OUTLET_OUT];
    if ((first && need_room(in, e) < 0) || need_input(in, e) < 0)
        return -1;
    for (int i = 0; i < OUTLET_N; i++) {
        struct outlet *o = in->outlets[i];
        if (o)
            open += o->state == OUTLET_OPEN;
        else if (outlet_open(in, i, e) < 0)
            return -1;
    }
    if (open == OUTLET_N)
        return 1;
    return 0;
}

static void forget_channel(struct instance *in)
{
    in->channel = channel_free(in->channel);
    entry_drop_fds(in, ENTRY_CHANNEL);
}

/* Said to who asks for a start: a plain user's daemon cannot raise a hard limit. */
static void say_what_is_beyond(const struct instance *in, const struct os_limits *l)
{
    own_buf names = { 0 };
    for (size_t i = 0; os_limits_beyond(l, &i); i++)
        buf_addf(&names, "%s%s", names.len ? ", " : "", os_limit_name(i));
    if (names.len)
        log_warn(
            "%s %lld: hard limits above the daemon's own stay at those: %s (`velos kill` and a start from "
            "a shell with higher ones make others)",
            in->app->spec->name, (long long)in->id, names.data);
}

/* Its caller's; the soft one of descriptors may be set for all apps. */
static void plan_limits(const struct instance *in, struct plan *p)
{
    static const char *last; /* shared: apps that one shell has started have the same */
    static struct os_limits of_last;
    const struct world *w = in->app->world;
    struct os_limits ours;
    if (!last || last != in->app->limits) {
        limits_read(in->app->limits, &of_last);
        shared_set(&last, in->app->limits);
    }
    p->limits = of_last;
    struct os_limit *nofile = &p->limits.of[os_limit_nofile()];
    if (in->commanded)
        say_what_is_beyond(in, &p->limits);
    if (nofile->set && w->settings->nofile == 0)
        return;
    if (!nofile->set) {
        os_limits_read(&ours);
        *nofile = ours.of[os_limit_nofile()];
        if (in->app->nofile > 0 || w->app_nofile > 0)
            nofile->soft = in->app->nofile > 0 ? in->app->nofile : w->app_nofile;
    }
    if (w->settings->nofile > 0)
        nofile->soft = w->settings->nofile;
    if (nofile->hard != OS_LIMIT_NONE && (nofile->soft > nofile->hard || nofile->soft == OS_LIMIT_NONE))
        nofile->soft = nofile->hard;
}

static void describe(const struct instance *in, const struct plan *p, struct os_spawn *o)
{
    o->exec = p->interp.exec;
    o->argv = p->interp.argv;
    o->envp = p->env.all.v;
    o->cwd = in->app->spec->cwd;
    o->in = in->input[0];
    o->channel = p->channel;
    o->out = in->outlets[OUTLET_OUT]->fds[1];
    o->err = in->outlets[OUTLET_ERR]->fds[1];
    o->umask = (mode_t)in->app->umask;
    o->tag = instance_tag(in);
    o->limits = &p->limits;
}

/* 1: all is ready for the child; 0: not yet, we come here again; -1: the reason. */
static int prepare(struct instance *in, struct plan *p, struct os_spawn *o, struct err *e)
{
    fault_point("spawn.asked");
    int r = need_pipes(in, e);
    fault_point("spawn.pipes");
    if (r <= 0)
        return r;
    outlet_end_run(in); /* asked here, done meanwhile */
    world_need_notify(in);
    if (find_account(in->app->spec, &p->account, e) < 0 || plan_user(in, p, o, e) < 0 ||
        build_environ(in, p->account, o, &p->env, e) < 0 || plan_program(in, p, o, e) < 0 ||
        plan_channel(in, p, e) < 0)
        return -1;
    if (!keeper_link_settled(in->app->world->keeper)) { /* what the child needs is not in its hands yet */
        forget_channel(in);
        world_defer_spawn(in); /* `drained` brings us back */
        return 0;
    }
    if (!outlet_end_run(in)) { /* the log writer's answer brings us back */
        forget_channel(in);
        return 0;
    }
    if (in->slot < 0)
        return err_set(e, ERR_LIMIT, "the ledger is full; a daemon after this one would not know the app");
    plan_limits(in, p);
    outlet_begin_run(in);
    describe(in, p, o);
    return 1;
}

static void failed(struct instance *in, struct err *e)
{
    e->code = ERR_SPAWN; /* whatever it was that kept it from running */
    log_warn("%s %lld: %s", in->app->spec->name, (long long)in->id, e->text);
    instance_spawn_failed(in, e);
}

static void finish(struct instance *in, const struct plan *p, const struct os_birth *b)
{
    struct err e;
    if (b->pid > 0) {
        went_well(in, b, &p->interp);
        if (b->report >= 0)
            instance_await_exec(in, b->report);
        else
            instance_spawned(in);
        return;
    }
    forget_channel(in);
    explain(in, p->interp.exec, b->step, b->error, &e);
    failed(in, &e);
}

/* The child of a failed exec is on its way out and ours to reap; its user may stop it there as well. */
static void forget_child(struct instance *in)
{
    kill(in->pid, SIGKILL);
    map_remove(&in->app->world->by_pid, (uint64_t)in->pid);
    in->pid = 0;
    in->start = 0;
    in->deadline = 0;
    forget_channel(in);
}

void launch_settle(struct instance *in)
{
    enum os_spawn_step step;
    struct err e;
    int why;
    if (!in->report || !os_spawn_read(pidwatch_fd(in->report), &step, &why))
        return;
    in->report = pidwatch_free(in->report);
    in->unexecuted = step != SPAWN_OK;
    if (in->life != LIFE_STARTING) /* it is being stopped: its exit answers that */
        return;
    if (step == SPAWN_OK) {
        instance_spawned(in);
        return;
    }
    forget_child(in);
    explain(in, in->exec, step, why, &e);
    failed(in, &e);
}

void launch_never_executed(struct instance *in)
{
    struct err e;
    err_set(&e, ERR_SPAWN, "exec %s: was not executed in time", in->exec ? in->exec : in->app->spec->script);
    err_hint(&e,
             "another process has stopped the child, or cwd or the program are on a file system that does "
             "not respond");
    failed(in, &e);
}

void launch(struct instance *const *ins, size_t n)
{
    struct plan plans[OS_BIRTHS];
    struct os_birth births[OS_BIRTHS];
    struct instance *born[OS_BIRTHS];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct plan *p = &plans[count];
        struct err e;
        /* One that could not be prepared leaves nothing to the next. */
        *p = (struct plan){ .channel = -1 };
        births[count] = (struct os_birth){ 0 };
        int r = prepare(ins[i], p, &births[count].how, &e);
        if (r > 0)
            born[count++] = ins[i];
        else
            plan_done(p);
        if (r < 0)
            failed(ins[i], &e);
    }
    for (size_t i = 0; i < count; i++) /* no put from here to the birth */
        births[i].how.born = ledger_child(born[i]->app->world->ledger, born[i]->slot);
    fault_point("spawn.before");
    if (count)
        os_spawn(births, count);
    fault_point("spawn.born");
    for (size_t i = 0; i < count; i++) {
        finish(born[i], &plans[i], &births[i]);
        plan_done(&plans[i]);
    }
    fault_point("spawn.known");
}

int launch_try(struct instance *in, struct err *e)
{
    struct plan p = { .channel = -1 };
    struct os_spawn how = { 0 };
    const char *cwd = in->app->spec->cwd;
    int r = -1;
    if (access(cwd, X_OK) < 0)
        err_sys(e, "cwd %s", cwd);
    else if (find_account(in->app->spec, &p.account, e) == 0 && find_user(in->app->spec, &p, &how, e) == 0 &&
             build_environ(in, p.account, &how, &p.env, e) == 0)
        r = plan_program(in, &p, &how, e);
    plan_done(&p);
    return r < 0 ? err_in(e, "%s", in->app->spec->name) : 0;
}

/* With which rights its logs are handled. *take NULL: the daemon's own. -1: there is no such user, any more
 * maybe; then they are those of a user who has no rights. */
int app_log_rights(const struct app *a, struct rights **take, struct err *e)
{
    enum { NO_ID = 65534, GROUPS_MAX = 1024 };
    const struct app_spec *s = a->spec;
    const struct passwd *account = NULL;
    own_text logs = path_join(a->world->home, "logs");
    struct os_fsid as = { .uid = NO_ID, .gid = NO_ID };
    *take = NULL;
    if (!s->user || geteuid() != 0)
        return 0;
    if (find_account(s, &account, e) < 0) {
        *take = rights_new(&as, logs);
        return -1;
    }
    as.uid = account->pw_uid;
    as.gid = account->pw_gid;
    if (as.uid == 0)
        return 0;
    gid_t *groups = xcalloc(GROUPS_MAX, sizeof(*groups));
    own_text name = xstrdup(account->pw_name);
    int r = s->group ? find_group(s->group, &as.gid, e) : 0;
    as.groups = groups;
    as.n_groups = (int)os_groups(name, as.gid, groups, GROUPS_MAX);
    *take = rights_new(&as, logs);
    free(groups);
    return r;
}
