#include "app/environ.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/dotenv.h"

static uint64_t hash_of(const char *data, size_t n)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)data[i]) * 1099511628211u;
    return h;
}

struct environ_blob *environ_intern(struct link *pool, const char *data, size_t len, bool *made)
{
    uint64_t hash = hash_of(data, len);
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
    for (; variables && *variables; variables++)
        if (strchr(*variables, '=') && !is_ours_to_drop(*variables) && is_let_through(*variables, inherit))
            buf_add(out, *variables, strlen(*variables) + 1);
}

/* The list being built: NULL-terminated, with the room it has. */
struct builder {
    char **v;
    size_t n, cap;
};

static void set(struct builder *b, const char *variable)
{
    size_t len = name_len(variable) + 1;
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i][0] == variable[0] && strncmp(b->v[i], variable, len) == 0) {
            free(b->v[i]);
            b->v[i] = xstrdup(variable);
            return;
        }
    if (b->n + 2 > b->cap) {
        b->cap = b->cap ? b->cap * 2 : 64;
        b->v = xrealloc(b->v, b->cap * sizeof(*b->v));
    }
    b->v[b->n++] = xstrdup(variable);
    b->v[b->n] = NULL;
}

static void setf(struct builder *b, const char *fmt, ...) printf_like(2, 3);
static void setf(struct builder *b, const char *fmt, ...)
{
    char text[4300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    set(b, text);
}

static void set_all(struct builder *b, char *const *variables)
{
    for (; variables && *variables; variables++)
        set(b, *variables);
}

int environ_build(const struct environ_query *q, char ***out, struct err *e)
{
    struct builder b = { 0 };
    for (const char *p = q->base ? q->base->data : ""; q->base && p < q->base->data + q->base->len;
         p += strlen(p) + 1)
        set(&b, p);
    for (char **file = q->spec->env_file; file && *file; file++) {
        own_strv more = NULL;
        if (dotenv_load(*file, &more, e) < 0) {
            strv_free(b.v);
            return err_in(e, "env_file");
        }
        set_all(&b, more);
    }
    set_all(&b, q->spec->env);
    setf(&b, "VELOS_HOME=%s", q->home);
    setf(&b, "VELOS_NAME=%s", q->spec->name);
    setf(&b, "VELOS_ID=%lld", (long long)q->id);
    setf(&b, "VELOS_INSTANCE=%s", q->mark);
    setf(&b, "NODE_APP_INSTANCE=%d", q->index);
    if (q->notify)
        setf(&b, "NOTIFY_SOCKET=%s", q->notify);
    *out = b.v;
    return 0;
}

const char *environ_get(char *const *env, const char *name)
{
    size_t n = strlen(name);
    for (; env && *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}
