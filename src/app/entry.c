#include "app/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "conf/keys.h"
#include "os/pidfd.h"
#include "os/procstat.h"

void entry_instance_key(int64_t id, char out[KEEP_KEY_MOST])
{
    snprintf(out, KEEP_KEY_MOST, "in/%lld", (long long)id);
}

void entry_app_key(const char *name, char out[KEEP_KEY_MOST])
{
    snprintf(out, KEEP_KEY_MOST, "app/%s", name);
}

void entry_environ_key(const struct environ_blob *b, char out[KEEP_KEY_MOST])
{
    snprintf(out, KEEP_KEY_MOST, "env/%016llx", (unsigned long long)b->hash);
}

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
        .code = (int)json_integer_value(json_array_get(a, 1)),
        .signal = (int)json_integer_value(json_array_get(a, 2)),
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

static enum cause cause_find(const char *name)
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
    in->n_lives = n;
}

static void write_counters(struct json_out *j, const struct instance *in)
{
    json_open(j, "counters", '{');
    for (enum cause c = CAUSE_NONE; c < CAUSE_N; c++)
        if (in->counters[c])
            json_int(j, cause_name(c), in->counters[c]);
    json_close(j, '}');
}

size_t entry_of_instance(const struct instance *in, char key[KEEP_KEY_MOST], struct buf *blob,
                         int fds[KEEP_FDS_MOST])
{
    struct json_out j = JSON_OUT(blob);
    bool piped = in->outlets[OUTLET_OUT] && in->outlets[OUTLET_ERR];
    int pidfd = os_pidfd_travels() ? pidwatch_fd(in->watch) : -1;
    entry_instance_key(in->id, key);
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
    if (in->commanded)
        json_flag(&j, "commanded", true);
    if (in->started_wall) {
        json_int(&j, "started_wall", in->started_wall);
        json_int(&j, "started_mono", in->started_mono);
    }
    if (in->memory.unstable)
        json_int(&j, "unstable", in->memory.unstable);
    if (in->memory.backoff)
        json_int(&j, "backoff", in->memory.backoff);
    if (in->restarts) {
        json_int(&j, "restarts", in->restarts);
        write_counters(&j, in);
    }
    if (in->has_exited)
        write_exit(&j, "exit", &in->last_exit);
    if (in->n_lives)
        write_lives(&j, in);
    json_int(&j, "seq", in->seq);
    if (in->interpreter)
        json_str(&j, "interpreter", in->interpreter);
    if (in->exec)
        json_str(&j, "exec", in->exec);
    if (in->token)
        json_str(&j, "token", in->token);
    json_flag(&j, "pipes", piped);
    json_flag(&j, "pidfd", pidfd >= 0);
    if (in->input[1] >= 0)
        json_flag(&j, "input", true);
    if (in->channel)
        json_flag(&j, "channel", true);
    if (in->status_text)
        json_str(&j, "status_text", in->status_text);
    json_close(&j, '}');

    size_t n = 0;
    for (int i = 0; piped && i < OUTLET_N; i++) {
        fds[n++] = in->outlets[i]->fds[0];
        fds[n++] = in->outlets[i]->fds[1];
    }
    if (pidfd >= 0)
        fds[n++] = pidfd;
    for (int i = 0; in->input[1] >= 0 && i < 2; i++)
        fds[n++] = in->input[i];
    if (in->channel)
        fds[n++] = channel_fd(in->channel);
    return n;
}

void entry_of_app(const struct app *a, char key[KEEP_KEY_MOST], struct buf *blob)
{
    struct json_out j = JSON_OUT(blob);
    entry_app_key(a->spec->name, key);
    json_open(&j, NULL, '{');
    json_int(&j, "v", ENTRY_VERSION);
    json_int(&j, "created", a->created);
    json_int(&j, "umask", a->umask);
    json_int(&j, "nofile", a->nofile);
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
    keys_write_json(a->spec, &j, "spec");
    json_close(&j, '}');
}

void entry_of_world(const struct world *w, struct buf *blob)
{
    struct json_out j = JSON_OUT(blob);
    json_open(&j, NULL, '{');
    json_int(&j, "v", ENTRY_VERSION);
    json_str(&j, "nonce", w->nonce);
    json_int(&j, "next_id", w->next_id);
    json_int(&j, "seq", w->seq);
    json_int(&j, "started", w->started);
    json_int(&j, "adoptions", w->adoptions);
    json_close(&j, '}');
}

int entry_add_to_file(struct keep_file *f, const char *key, pid_t pid, const struct buf *blob, const int *fds,
                      size_t n_fds)
{
    struct keep_head h = {
        .type = KEEP_PUT, .key_len = (uint16_t)strlen(key), .n_fds = (uint16_t)n_fds, .pid = (int32_t)pid
    };
    if (blob->len <= KEEP_INLINE_MOST) {
        h.blob_len = (uint32_t)blob->len;
        return keep_file_add(f, &h, key, blob->data, fds);
    }
    int all[KEEP_FDS_MOST] = { keep_blob_to_fd(blob->data, blob->len) }; /* stays open across the exec */
    memcpy(all + 1, fds, sizeof(int) * n_fds);
    h.flags = KEEP_BLOB_FD;
    h.n_fds++;
    return all[0] < 0 ? -1 : keep_file_add(f, &h, key, "", all);
}

void entry_put_app(const struct app *a)
{
    own_buf blob = { 0 };
    char key[KEEP_KEY_MOST];
    entry_of_app(a, key, &blob);
    keeper_link_put(a->world->keeper, key, 0, &blob, NULL, 0);
}

void entry_put_environ(struct world *w, const struct environ_blob *b)
{
    char key[KEEP_KEY_MOST];
    struct buf text = { .data = (char *)b->data, .len = b->len };
    entry_environ_key(b, key);
    keeper_link_put(w->keeper, key, 0, &text, NULL, 0);
}

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

int entry_read_app(struct world *w, const char *blob, size_t n, struct app **out, struct err *e)
{
    own_json o = NULL;
    own_app_spec spec = NULL;
    if (json_parse(blob, n, &o, e) < 0 || keys_read_json(json_object_get(o, "spec"), true, &spec, e) < 0)
        return -1;
    struct app *a = xnew(struct app);
    const char *env = json_get_str(o, "env", NULL), *token = json_get_str(o, "token", NULL);
    a->world = w;
    a->spec = steal(spec);
    a->created = json_get_int(o, "created", 0);
    a->umask = (unsigned)json_get_int(o, "umask", 022);
    a->nofile = (long)json_get_int(o, "nofile", 0);
    a->is_new = json_get_flag(o, "new", false);
    a->removing = json_get_flag(o, "removing", false);
    a->token = token ? xstrdup(token) : NULL;
    a->base = env ? find_environ(w, env) : NULL;
    list_init(&a->requests);
    list_init(&a->touched);
    list_append(&w->apps, &a->link);
    w->n_apps++;
    *out = a;
    return 0;
}

/* Descriptors that no outlet or watch took are closed. */
static void take_fds(struct instance *in, const json_t *o, const int *fds, size_t n)
{
    size_t at = 0;
    if (json_get_flag(o, "pipes", false) && n >= 4) {
        outlet_adopt(in, OUTLET_OUT, fds);
        outlet_adopt(in, OUTLET_ERR, fds + 2);
        at = 4;
    }
    if (json_get_flag(o, "pidfd", false) && at < n)
        in->kept_pidfd = fds[at++];
    if (json_get_flag(o, "input", false) && at + 1 < n) {
        in->input[0] = fds[at++];
        in->input[1] = fds[at++];
    }
    if (json_get_flag(o, "channel", false) && at < n)
        in->kept_channel = fds[at++];
    for (; at < n; at++)
        close(fds[at]);
}

static void read_life(struct instance *in, const json_t *o)
{
    if (!life_from_key(json_get_str(o, "life", ""), &in->life)) {
        log_warn("%s %lld: unknown state `%s` of another version: taken as stopped", in->app->spec->name,
                 (long long)in->id, json_get_str(o, "life", ""));
        in->life = LIFE_STOPPED;
    }
    const char *reason = json_get_str(o, "reason", NULL), *interpreter = json_get_str(o, "interpreter", NULL),
               *status = json_get_str(o, "status_text", NULL), *exec = json_get_str(o, "exec", NULL),
               *token = json_get_str(o, "token", NULL);
    in->cause = cause_find(json_get_str(o, "cause", ""));
    in->reason = reason ? xstrdup(reason) : NULL;
    in->interpreter = interpreter ? xstrdup(interpreter) : NULL;
    in->exec = exec ? xstrdup(exec) : NULL;
    in->token = token ? xstrdup(token) : NULL;
    in->status_text = status ? xstrdup(status) : NULL;
    in->deadline = json_get_int(o, "deadline", 0);
    in->signalled = json_get_flag(o, "signalled", false);
    in->forced_at = json_get_int(o, "forced_at", 0);
    in->forced = in->forced_at != 0;
    in->last_pid = (pid_t)json_get_int(o, "untold", 0);
    in->end_untold = in->last_pid != 0;
    in->commanded = json_get_flag(o, "commanded", false);
    in->seq = json_get_int(o, "seq", 0);
}

static void read_past(struct instance *in, const json_t *o)
{
    const json_t *exit = json_object_get(o, "exit"), *counters = json_object_get(o, "counters");
    in->started_wall = json_get_int(o, "started_wall", 0);
    in->started_mono = json_get_int(o, "started_mono", 0);
    in->memory.unstable = json_get_int(o, "unstable", 0);
    in->memory.backoff = json_get_int(o, "backoff", 0);
    in->restarts = json_get_int(o, "restarts", 0);
    for (enum cause c = CAUSE_NONE; c < CAUSE_N; c++)
        in->counters[c] = json_get_int(counters, cause_name(c), 0);
    in->has_exited = exit != NULL;
    if (exit)
        in->last_exit = read_exit(exit);
    read_lives(in, json_object_get(o, "lives"));
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

int entry_read_instance(struct world *w, const char *blob, size_t n, pid_t pid, const int *fds, size_t n_fds,
                        struct instance **out, struct err *e)
{
    own_json o = NULL;
    if (json_parse(blob, n, &o, e) < 0)
        return -1;
    const char *name = json_get_str(o, "app", "");
    struct app *a = world_find(w, name);
    int64_t id = json_get_int(o, "id", -1);
    if (!a || id < 0)
        return err_set(e, ERR_INTERNAL, "instance %lld of `%s`: no such app", (long long)id, name);
    struct instance *in = instance_new(a, (int)json_get_int(o, "index", 0), id);
    read_life(in, o);
    read_past(in, o);
    read_child(in, o, pid);
    take_fds(in, o, fds, n_fds);
    if (in->pid)
        map_put(&w->by_pid, (uint64_t)in->pid, in);
    *out = in;
    return 0;
}
