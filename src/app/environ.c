#include "app/environ.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "conf/dotenv.h"
#include "os/fsid.h"

struct environ_blob *environ_intern(struct link *pool, const char *data, size_t len, bool *made)
{
    uint64_t hash = map_hash(data, len);
    *made = false;
    list_each (l, pool) {
        struct environ_blob *b = container_of(l, struct environ_blob, link);
        if (b->hash == hash && b->len == len && memcmp(b->data, data, len) == 0) {
            b->refs++;
            return b;
        }
        if (b->hash == hash)
            hash++; /* another text of the same hash: its key in the keeper must differ */
    }
    struct environ_blob *b = xmalloc(sizeof(*b) + len + 1);
    *b = (struct environ_blob){ .refs = 1, .slot = -1, .hash = hash, .len = len };
    memcpy(b->data, data, len);
    b->data[len] = '\0';
    list_append(pool, &b->link);
    *made = true;
    return b;
}

bool environ_unref(struct environ_blob *b)
{
    if (!b || --b->refs > 0)
        return false;
    list_remove(&b->link);
    free(b);
    return true;
}

static size_t name_len(const char *variable)
{
    return strcspn(variable, "=");
}

/* A channel or a notify socket of whoever started velos is not the app's: a Node program that finds
 * NODE_CHANNEL_FD takes that descriptor, whatever it is, for one (node-ipc.md, section 1). */
static bool is_ours_to_drop(const char *variable)
{
    static const char *const names[] = {
        "NODE_CHANNEL_FD",   "NODE_CHANNEL_SERIALIZATION_MODE",
        "NODE_UNIQUE_ID",    "NOTIFY_SOCKET",
        "WATCHDOG_PID",      "WATCHDOG_USEC",
        "LISTEN_FDS",        "LISTEN_PID",
        "LISTEN_FDNAMES",    "VELOS_NAME",
        "VELOS_ID",          "VELOS_INSTANCE",
        "NODE_APP_INSTANCE",
    };
    size_t n = name_len(variable);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strlen(names[i]) == n && strncmp(names[i], variable, n) == 0)
            return true;
    return false;
}

static bool is_let_through(const char *variable, const struct inherit_env *inherit)
{
    if (inherit->all)
        return true;
    size_t n = name_len(variable);
    for (char **name = inherit->names; name && *name; name++)
        if (strlen(*name) == n && strncmp(*name, variable, n) == 0)
            return true;
    return false;
}

void environ_filter(char *const *variables, const struct inherit_env *inherit, struct buf *out)
{
    own_vars passed = { 0 }; /* a shell passes each variable once; of two from elsewhere the last wins */
    for (; variables && *variables; variables++)
        if (strchr(*variables, '=') && !is_ours_to_drop(*variables) && is_let_through(*variables, inherit))
            vars_put(&passed, *variables);
    for (size_t i = 0; i < passed.n; i++)
        buf_add(out, passed.v[i], strlen(passed.v[i]) + 1);
}

void environ_done(struct environ *env)
{
    vars_done(&env->all);
    strv_free(vars_steal(&env->own));
}

static void own(struct environ *env, char *take_variable)
{
    vars_put(&env->all, take_variable);
    free(vars_put(&env->own, take_variable));
}

void environ_set(struct environ *env, const char *name, const char *value)
{
    own(env, xasprintf("%s=%s", name, value));
}

const char *environ_get(const struct environ *env, const char *name)
{
    return vars_get(&env->all, name);
}

static int add_files(struct environ *env, char *const *files, struct err *e)
{
    for (; files && *files; files++) {
        own_strv more = NULL;
        if (dotenv_load(*files, &more, e) < 0)
            return err_in(e, "env_file");
        for (char **v = more; v && *v; v++)
            own(env, *v);
        free(steal(more)); /* the list alone: its texts are ours now */
    }
    return 0;
}

/* The files are the app's, in directories of its user as a rule. */
static int read_files(const struct environ_query *q, struct environ *env, struct err *e)
{
    char **files = q->spec->env_file;
    if (!files || !*files)
        return 0;
    if (q->reader && os_fsid_enter(q->reader, e) < 0)
        return err_in(e, "env_file");
    int r = add_files(env, files, e);
    if (q->reader)
        os_fsid_leave();
    return r;
}

static void add_user(struct environ *env, const struct passwd *user)
{
    environ_set(env, "HOME", user->pw_dir);
    environ_set(env, "USER", user->pw_name);
    environ_set(env, "LOGNAME", user->pw_name);
    environ_set(env, "SHELL", user->pw_shell);
}

int environ_build(const struct environ_query *q, struct environ *out, struct err *e)
{
    struct environ env = { 0 };
    char number[24];
    const char *end = q->base ? q->base->data + q->base->len : NULL;
    for (char *p = q->base ? (char *)q->base->data : NULL; p < end; p += strlen(p) + 1)
        vars_put(&env.all, p);
    if (q->user)
        add_user(&env, q->user);
    if (read_files(q, &env, e) < 0) {
        environ_done(&env);
        return -1;
    }
    for (char **v = q->spec->env; v && *v; v++)
        vars_put(&env.all, *v);
    environ_set(&env, "VELOS_HOME", q->home);
    environ_set(&env, "VELOS_NAME", q->spec->name);
    snprintf(number, sizeof(number), "%lld", (long long)q->id);
    environ_set(&env, "VELOS_ID", number);
    environ_set(&env, "VELOS_INSTANCE", q->mark);
    snprintf(number, sizeof(number), "%d", q->index);
    environ_set(&env, "NODE_APP_INSTANCE", number);
    if (q->notify)
        environ_set(&env, "NOTIFY_SOCKET", q->notify);
    *out = env;
    return 0;
}
