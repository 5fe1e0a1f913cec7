#include "app/entry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/timetable.h"
#include "app/watching.h"
#include "base/json.h"
#include "base/log.h"
#include "base/shared.h"
#include "base/time.h"
#include "conf/keys.h"
#include "conf/limits.h"
#include "os/pidfd.h"
#include "os/procstat.h"

/* Putting. */

static void put(struct world *w, int *slot, const char *key, pid_t pid, const struct buf *text)
{
    if (ledger_put(w->ledger, slot, key, pid, text->len ? text->data : "", text->len) < 0)
        log_error("ledger: %s: %s: a daemon after this one would not know it as it is", key, strerror(errno));
}

static void instance_key(const char *kind, int64_t id, char out[KEEP_KEY_MOST])
{
    snprintf(out, KEEP_KEY_MOST, "%s/%lld", kind, (long long)id);
}

/* What a later version wrote and this one does not know is written again as it came. */

static json_t *unknown_of(const json_t *o, const char *const *known)
{
    json_t *rest = NULL;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)o, name, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], name) != 0)
            i++;
        if (known[i])
            continue;
        if (!rest)
            rest = json_object();
        json_object_set(rest, name, value);
    }
    return rest;
}

/* Into an object that is still open; what it has by now is not unknown. */
static void write_unknown(struct json_out *j, const json_t *unknown)
{
    if (!unknown)
        return;
    own_text so_far = xasprintf("%s}", j->to->data);
    own_json o = json_loads(so_far, 0, NULL);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)unknown, name, value)
    {
        own_text text = json_object_get(o, name) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (text)
            json_raw(j, name, text);
    }
}

static const char *const instance_members[] = {
    "v",        "app",       "id",           "index",        "life",        "cause",
    "reason",   "pid",       "start",        "deadline",     "signalled",   "forced_at",
    "untold",   "commanded", "started_wall", "started_mono", "unstable",    "backoff",
    "restarts", "counters",  "exit",         "lives",        "seq",         "interpreter",
    "exec",     "token",     "status_text",  "dropped_out",  "dropped_err", "uid",
    "dirty",    NULL,
};
static const char *const app_members[] = {
    "v",        "created", "umask", "nofile",   "limits",    "token",      "new",
    "removing", "env",     "spec",  "cron_due", "cron_last", "cron_round", NULL,
};
static const char *const world_members[] = { "v",         "nonce",  "next_id",       "seq", "started",
                                             "adoptions", "update", "shared_keeper", NULL };

static void write_exit(struct json_out *j, const char *key, const struct exit_status *x)
{
    json_open(j, key, '[');
    json_flag(j, NULL, x->known);
    json_int(j, NULL, x->code);
    json_int(j, NULL, x->signal);
    json_flag(j, NULL, x->core);
    json_close(j, ']');
}

static struct exit_status read_exit(const json_t *a)
{
    return (struct exit_status){
        .known = json_is_true(json_array_get(a, 0)),
        .code = (uint8_t)json_integer_value(json_array_get(a, 1)),
        .signal = (uint8_t)json_integer_value(json_array_get(a, 2)),
        .core = json_is_true(json_array_get(a, 3)),
    };
}

static void write_lives(struct json_out *j, const struct instance *in)
{
    size_t n = MIN(in->n_lives, (size_t)LIVES_KEPT);
    json_open(j, "lives", '[');
    for (size_t i = n; i-- > 0;) {
        const struct past_life *p = instance_life_ended(in, i);
        json_open(j, NULL, '[');
        json_int(j, NULL, p->started);
        json_int(j, NULL, p->ended);
        json_int(j, NULL, p->uptime);
        json_str(j, NULL, cause_name(p->cause));
        write_exit(j, NULL, &p->exit);
        json_close(j, ']');
    }
    json_close(j, ']');
}

enum cause cause_find(const char *name)
{
    for (enum cause c = CAUSE_NONE; c < CAUSE_N; c++)
        if (strcmp(cause_name(c), name) == 0)
            return c;
    return CAUSE_UNKNOWN;
}

static void read_lives(struct instance *in, const json_t *lives)
{
    size_t n = MIN(json_array_size(lives), (size_t)LIVES_KEPT);
    if (n == 0)
        return;
    in->lives = xcalloc(n, sizeof(*in->lives));
    for (size_t i = 0; i < n; i++) {
        const json_t *a = json_array_get(lives, i);
        const char *cause = json_string_value(json_array_get(a, 3));
        in->lives[i] = (struct past_life){
            .started = json_integer_value(json_array_get(a, 0)),
            .ended = json_integer_value(json_array_get(a, 1)),
            .uptime = json_integer_value(json_array_get(a, 2)),
            .cause = cause_find(cause ? cause : ""),
            .exit = read_exit(json_array_get(a, 4)),
        };
    }
    in->n_lives = (uint32_t)n;
}

static void write_counters(struct json_out *j, const struct instance *in)
{
    json_open(j, "counters", '{');
    for (enum cause c = CAUSE_NONE; c < CAUSE_N; c++)
        if (in->counters[c])
            json_int(j, cause_name(c), in->counters[c]);
    json_close(j, '}');
}

void entry_write_past(struct json_out *j, const struct instance *in)
{
    if (in->started_wall) {
        json_int(j, "started_wall", in->started_wall);
        json_int(j, "started_mono", in->started_mono);
    }
    if (in->memory.unstable)
        json_int(j, "unstable", in->memory.unstable);
    if (in->memory.backoff)
        json_int(j, "backoff", in->memory.backoff);
    if (in->restarts) {
        json_int(j, "restarts", in->restarts);
        write_counters(j, in);
    }
    if (in->has_exited)
        write_exit(j, "exit", &in->last_exit);
    if (in->n_lives)
        write_lives(j, in);
}

static void write_instance(const struct instance *in, struct buf *text)
{
    struct json_out j = JSON_OUT(text);
    json_open(&j, NULL, '{');
    json_int(&j, "v", ENTRY_VERSION);
    json_str(&j, "app", in->app->spec->name);
    json_int(&j, "id", in->id);
    json_int(&j, "index", in->index);
    json_str(&j, "life", life_key(in->life));
    json_str(&j, "cause", cause_name(in->cause));
    if (in->reason)
        json_str(&j, "reason", in->reason);
    if (in->pid) {
        json_int(&j, "pid", in->pid);
        json_int(&j, "start", (int64_t)in->start);
    }
    if (in->deadline)
        json_int(&j, "deadline", in->deadline);
    if (in->signalled)
        json_flag(&j, "signalled", true);
    if (in->forced)
        json_int(&j, "forced_at", in->forced_at);
    if (in->end_untold)
        json_int(&j, "untold", in->last_pid);
    if (in->uid != UID_UNKNOWN)
        json_int(&j, "uid", (int64_t)in->uid);
    if (in->dirty)
        json_flag(&j, "dirty", true);
    if (in->commanded)
        json_flag(&j, "commanded", true);
    entry_write_past(&j, in);
    json_int(&j, "seq", in->seq);
    if (in->interpreter)
        json_str(&j, "interpreter", in->interpreter);
    if (in->exec)
        json_str(&j, "exec", in->exec);
    if (in->token)
        json_str(&j, "token", in->token);
    if (in->dropped[OUTLET_OUT] || in->dropped[OUTLET_ERR]) {
        json_int(&j, "dropped_out", in->dropped[OUTLET_OUT]);
        json_int(&j, "dropped_err", in->dropped[OUTLET_ERR]);
    }
    if (in->status_text)
        json_str(&j, "status_text", in->status_text);
    write_unknown(&j, in->unknown);
    json_close(&j, '}');
}

/* Blanks behind the text of what has not run yet: it is as long as it will be then, and of many that start
 * together each takes the block that the one before gave back. */
static void add_room(const struct instance *in, struct buf *text)
{
    size_t more = in->started_wall
                      ? 0
                      : sizeof("\"pid\":,\"start\":,\"started_wall\":,\"started_mono\":,\"exec\":") +
                            56 /* digits */ + strlen(in->app->spec->script);
    buf_fill(text, ' ', more);
}

void entry_put_instance(struct instance *in)
{
    own_buf text = { 0 };
    char key[KEEP_KEY_MOST];
    instance_key("in", in->id, key);
    write_instance(in, &text);
    add_room(in, &text);
    put(in->app->world, &in->slot, key, in->pid, &text);
}

void entry_put_app(struct app *a)
{
    own_buf text = { 0 };
    struct json_out j = JSON_OUT(&text);
    char key[KEEP_KEY_MOST];
    snprintf(key, sizeof(key), "app/%s", a->spec->name);
    json_open(&j, NULL, '{');
    json_int(&j, "v", ENTRY_VERSION);
    json_int(&j, "created", a->created);
    json_int(&j, "umask", a->umask);
    json_int(&j, "nofile", a->nofile);
    if (a->limits)
        json_raw(&j, "limits", a->limits);
    if (a->token)
        json_str(&j, "token", a->token);
    if (a->is_new)
        json_flag(&j, "new", true);
    if (a->removing)
        json_flag(&j, "removing", true);
    if (a->base) {
        char env[32];
        snprintf(env, sizeof(env), "%016llx", (unsigned long long)a->base->hash);
        json_str(&j, "env", env);
    }
    timetable_write(a, &j);
    keys_write_json(a->spec, &j, "spec");
    write_unknown(&j, a->unknown);
    json_close(&j, '}');
    put(a->world, &a->slot, key, 0, &text);
}

void entry_put_world(struct world *w)
{
    own_buf text = { 0 };
    struct json_out j = JSON_OUT(&text);
    json_open(&j, NULL, '{');
    json_int(&j, "v", ENTRY_VERSION);
    json_str(&j, "nonce", w->nonce);
    json_int(&j, "next_id", w->next_id);
    json_int(&j, "seq", w->seq);
    json_int(&j, "started", w->started);
    json_int(&j, "adoptions", w->adoptions);
    if (w->shared_keeper)
        json_int(&j, "shared_keeper", w->shared_keeper);
    if (w->update)
        json_str(&j, "update", w->update);
    write_unknown(&j, w->unknown);
    json_close(&j, '}');
    put(w, &w->slot, "daemon", 0, &text);
}

void entry_put_environ(struct world *w, struct environ_blob *b)
{
    char key[KEEP_KEY_MOST];
    struct buf text = { .data = b->data, .len = b->len };
    snprintf(key, sizeof(key), "env/%016llx", (unsigned long long)b->hash);
    put(w, &b->slot, key, 0, &text);
}

void entry_forget_app(struct app *a)
{
    ledger_delete(a->world->ledger, &a->slot);
}

void entry_forget_environ(struct world *w, struct environ_blob *b)
{
    ledger_delete(w->ledger, &b->slot);
}

void entry_forget_instance(struct instance *in)
{
    ledger_delete(in->app->world->ledger, &in->slot);
    entry_drop_fds(in, ENTRY_PIPES);
    entry_drop_fds(in, ENTRY_CHANNEL);
    entry_drop_fds(in, ENTRY_PIDFD);
    instance_forget_notify(in);
}

/* Descriptors. */

static const char *const fds_kinds[ENTRY_FDS_N] = {
    [ENTRY_PIPES] = "io", [ENTRY_CHANNEL] = "ch", [ENTRY_PIDFD] = "pf", [ENTRY_NOTIFY] = "nt"
};

static size_t collect_fds(const struct instance *in, enum entry_fds kind, int fds[KEEP_FDS_MOST])
{
    size_t n = 0;
    if (kind == ENTRY_CHANNEL && in->channel)
        fds[n++] = channel_fd(in->channel);
    if (kind == ENTRY_PIDFD && in->watch && os_pidfd_travels())
        fds[n++] = pidwatch_fd(in->watch);
    if (kind == ENTRY_NOTIFY && in->door)
        fds[n++] = in->door->fd;
    if (kind != ENTRY_PIPES || !in->outlets[OUTLET_OUT] || !in->outlets[OUTLET_ERR] || in->input[1] < 0)
        return n;
    for (int i = 0; i < OUTLET_N; i++) {
        fds[n++] = in->outlets[i]->fds[0];
        fds[n++] = in->outlets[i]->fds[1];
    }
    fds[n++] = in->input[0];
    fds[n++] = in->input[1];
    return n;
}

void entry_put_fds(struct instance *in, enum entry_fds kind)
{
    char key[KEEP_KEY_MOST];
    int fds[KEEP_FDS_MOST];
    size_t n = collect_fds(in, kind, fds);
    instance_key(fds_kinds[kind], in->id, key);
    if (n)
        keeper_link_put(in->app->world->keeper, key, fds, n);
    in->kept_fds |= n ? 1u << kind : 0;
}

void entry_drop_fds(struct instance *in, enum entry_fds kind)
{
    char key[KEEP_KEY_MOST];
    if (!(in->kept_fds & 1u << kind))
        return;
    in->kept_fds &= ~(1u << kind);
    instance_key(fds_kinds[kind], in->id, key);
    keeper_link_delete(in->app->world->keeper, key);
}

int entry_add_all_fds(const struct instance *in, struct keep_file *f)
{
    for (enum entry_fds kind = ENTRY_PIPES; kind < ENTRY_FDS_N; kind++) {
        char key[KEEP_KEY_MOST];
        int fds[KEEP_FDS_MOST];
        size_t n = collect_fds(in, kind, fds);
        instance_key(fds_kinds[kind], in->id, key);
        if (n && keep_file_add(f, key, fds, n) < 0)
            return -1;
    }
    return 0;
}

/* Reading. */

static struct environ_blob *find_environ(struct world *w, const char *hash)
{
    list_each (l, &w->environs) {
        struct environ_blob *b = container_of(l, struct environ_blob, link);
        if (b->hash == strtoull(hash, NULL, 16)) {
            b->refs++;
            return b;
        }
    }
    return NULL;
}

int entry_read_app(struct world *w, const struct ledger_entry *from, int slot, struct app **out,
                   struct err *e)
{
    own_json o = NULL;
    own_app_spec spec = NULL;
    if (json_parse(from->text, from->len, &o, e) < 0 ||
        keys_read_json(json_object_get(o, "spec"), true, &spec, e) < 0)
        return -1;
    struct app *a = xnew(struct app);
    const char *env = json_get_str(o, "env", NULL), *token = json_get_str(o, "token", NULL);
    a->world = w;
    a->slot = slot;
    a->spec = steal(spec);
    a->label = label_of(a->spec);
    settings_fill_in(w->settings, a->spec);
    a->created = json_get_int(o, "created", 0);
    a->umask = (unsigned)json_get_int(o, "umask", 022);
    a->nofile = (long)json_get_int(o, "nofile", 0);
    own_text limits = NULL;
    if (limits_take(json_object_get(o, "limits"), &limits, e) < 0)
        log_warn("app %s: %s", a->spec->name, e->text);
    shared_set(&a->limits, limits);
    a->is_new = json_get_flag(o, "new", false);
    a->removing = json_get_flag(o, "removing", false);
    shared_set(&a->token, token);
    a->base = env ? find_environ(w, env) : NULL;
    list_init(&a->requests);
    list_init(&a->touched);
    list_append(&w->apps, &a->link);
    w->n_apps++;
    timetable_settle(a, o);
    watching_settle(a);
    a->unknown = unknown_of(o, app_members);
    *out = a;
    return 0;
}

static void read_life(struct instance *in, const json_t *o)
{
    enum life life = LIFE_STOPPED;
    if (!life_from_key(json_get_str(o, "life", ""), &life))
        log_warn("%s %lld: unknown state `%s` of another version: taken as stopped", in->app->spec->name,
                 (long long)in->id, json_get_str(o, "life", ""));
    in->life = life;
    const char *reason = json_get_str(o, "reason", NULL), *interpreter = json_get_str(o, "interpreter", NULL),
               *status = json_get_str(o, "status_text", NULL), *exec = json_get_str(o, "exec", NULL),
               *token = json_get_str(o, "token", NULL);
    in->cause = cause_find(json_get_str(o, "cause", ""));
    in->reason = reason ? xstrdup(reason) : NULL;
    shared_set(&in->interpreter, interpreter);
    shared_set(&in->exec, exec);
    shared_set(&in->token, token);
    in->status_text = status ? xstrdup(status) : NULL;
    in->deadline = json_get_int(o, "deadline", 0);
    in->signalled = json_get_flag(o, "signalled", false);
    in->forced_at = json_get_int(o, "forced_at", 0);
    in->forced = in->forced_at != 0;
    in->last_pid = (pid_t)json_get_int(o, "untold", 0);
    in->end_untold = in->last_pid != 0;
    in->commanded = json_get_flag(o, "commanded", false);
    in->dirty = json_get_flag(o, "dirty", false);
    in->seq = json_get_int(o, "seq", 0);
}

void entry_read_past(struct instance *in, const json_t *o)
{
    const json_t *exit = json_object_get(o, "exit"), *counters = json_object_get(o, "counters");
    in->started_wall = json_get_int(o, "started_wall", 0);
    in->started_mono = json_get_int(o, "started_mono", 0);
    in->memory.unstable = json_get_int(o, "unstable", 0);
    in->memory.backoff = json_get_int(o, "backoff", 0);
    in->restarts = json_get_int(o, "restarts", 0);
    for (enum cause c = CAUSE_NONE; c < CAUSE_N; c++)
        in->counters[c] = (uint32_t)json_get_int(counters, cause_name(c), 0);
    in->has_exited = exit != NULL;
    in->dropped[OUTLET_OUT] = json_get_int(o, "dropped_out", 0);
    in->dropped[OUTLET_ERR] = json_get_int(o, "dropped_err", 0);
    if (exit)
        in->last_exit = read_exit(exit);
    read_lives(in, json_object_get(o, "lives"));
}

/* Who its child became. A daemon before this version did not note it: the child is asked, if it lives. */
static void read_user(struct instance *in, const json_t *o)
{
    const struct app_spec *s = in->app->spec;
    int64_t uid = json_get_int(o, "uid", -1);
    bool is_of_this_child = json_get_int(o, "pid", 0) == in->pid;
    if (uid >= 0 && is_of_this_child)
        in->uid = (uid_t)uid;
    else if (!s->user && !s->group)
        in->uid = geteuid();
    else if (!in->pid || !procstat_user(in->pid, &in->uid))
        in->uid = UID_UNKNOWN;
}

/* The text may be older than the child: then its own word (pid) came in between, and /proc knows the rest. */
static void read_child(struct instance *in, const json_t *o, pid_t pid)
{
    struct proc_info now;
    in->pid = pid;
    if (!pid)
        return;
    in->adopted = true;
    in->start = (uint64_t)json_get_int(o, "start", 0);
    if (json_get_int(o, "pid", 0) == pid)
        return;
    in->start = procstat_read(pid, &now) ? now.start : 0;
    in->started_wall = time_wall_ms();
    in->started_mono = time_mono_ms();
}

int entry_read_instance(struct world *w, const struct ledger_entry *from, int slot, struct instance **out,
                        struct err *e)
{
    own_json o = NULL;
    if (json_parse(from->text, from->len, &o, e) < 0)
        return -1;
    const char *name = json_get_str(o, "app", "");
    struct app *a = world_find(w, name);
    int64_t id = json_get_int(o, "id", -1);
    if (!a || id < 0)
        return err_set(e, ERR_INTERNAL, "instance %lld of `%s`: no such app", (long long)id, name);
    struct instance *in = instance_new(a, (int)json_get_int(o, "index", 0), id);
    in->slot = slot;
    read_life(in, o);
    entry_read_past(in, o);
    read_child(in, o, from->pid);
    read_user(in, o);
    in->unknown = unknown_of(o, instance_members);
    if (in->pid)
        map_put(&w->by_pid, (uint64_t)in->pid, in);
    *out = in;
    return 0;
}

int entry_read_world(struct world *w, const struct ledger_entry *from, int slot, struct err *e)
{
    own_json o = NULL;
    w->slot = slot;
    if (json_parse(from->text, from->len, &o, e) < 0)
        return -1;
    const char *update = json_get_str(o, "update", NULL);
    snprintf(w->nonce, sizeof(w->nonce), "%s", json_get_str(o, "nonce", ""));
    w->next_id = MAX(w->next_id, json_get_int(o, "next_id", 0));
    w->seq = MAX(w->seq, json_get_int(o, "seq", 0));
    w->started = json_get_int(o, "started", 0);
    w->adoptions = json_get_int(o, "adoptions", 0) + 1;
    w->update = update ? xstrdup(update) : NULL;
    w->shared_keeper = (pid_t)json_get_int(o, "shared_keeper", 0);
    w->unknown = unknown_of(o, world_members);
    return 0;
}

/* False: nobody's, or nothing they could be. */
static bool take_fds(struct instance *in, enum entry_fds kind, const int *fds, size_t n)
{
    if (kind == ENTRY_PIPES && n == 6 && !in->outlets[OUTLET_OUT]) {
        outlet_adopt(in, OUTLET_OUT, fds);
        outlet_adopt(in, OUTLET_ERR, fds + 2);
        in->input[0] = fds[4];
        in->input[1] = fds[5];
        return true;
    }
    if (kind == ENTRY_NOTIFY && n == 1 && !in->door) {
        instance_adopt_notify(in, fds[0]);
        return true;
    }
    if (!in->pid || n != 1 || kind == ENTRY_PIPES || kind == ENTRY_NOTIFY)
        return false;
    int *kept = kind == ENTRY_CHANNEL ? &in->kept_channel : &in->kept_pidfd;
    fd_done(kept);
    *kept = fds[0];
    return true;
}

bool entry_is_fds(const char *key)
{
    for (enum entry_fds kind = ENTRY_PIPES; kind < ENTRY_FDS_N; kind++)
        if (text_starts(key, fds_kinds[kind]) && key[2] == '/')
            return true;
    return false;
}

void entry_take_fds(struct world *w, const char *key, const int *fds, size_t n)
{
    for (enum entry_fds kind = ENTRY_PIPES; kind < ENTRY_FDS_N; kind++) {
        if (strncmp(key, fds_kinds[kind], 2) != 0 || key[2] != '/')
            continue;
        struct instance *in = world_instance(w, strtoll(key + 3, NULL, 10));
        if (in)
            in->kept_fds |= 1u << kind;
        if (in && take_fds(in, kind, fds, n))
            return;
        if (in)
            entry_drop_fds(in, kind);
        else
            keeper_link_delete(w->keeper, key);
    }
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}
