/* src/app/environ.h: the environment of an app. What the caller passed on is kept once for all apps that were
 * started from the same shell; the rest is put together anew at each start. */
#pragma once
#include "base/list.h"
#include "base/vars.h"
#include "conf/spec.h"

struct environ_blob { /* "NAME=value\0NAME=value\0", shared and counted */
    struct link link;
    int refs;
    int slot; /* in the ledger; -1: not there */
    uint64_t hash;
    size_t len;
    char data[];
};

/* Finds or makes the blob with this text in `pool`; one reference is the caller's. *made tells it is new. */
struct environ_blob *environ_intern(struct link *pool, const char *data, size_t len, bool *made);
bool environ_unref(struct environ_blob *b); /* true: that was the last one, and it is freed */

/* The caller's variables that `inherit` lets through, as blob text. */
void environ_filter(char *const *variables, const struct inherit_env *inherit, struct buf *out);

struct environ_query {
    const struct app_spec *spec;
    const struct environ_blob *base; /* or NULL */
    const char *home, *mark;         /* VELOS_HOME, VELOS_INSTANCE */
    const char *notify;              /* NOTIFY_SOCKET; or NULL */
    const struct passwd *user;       /* whose HOME, USER, LOGNAME and SHELL; NULL: as in base */
    const struct os_fsid *reader;    /* with whose rights env_file is read; NULL: our own */
    int64_t id;
    int index;
};

/* An environment for execve(2): mostly texts of others, which must live as long as it does. Zero is an empty
 * one. */
struct environ {
    struct vars all;
    struct vars own; /* those of them that it frees */
};
void environ_done(struct environ *env);
void environ_set(struct environ *env, const char *name, const char *value); /* copied */
const char *environ_get(const struct environ *env, const char *name);

/* The whole environment, last wins: base, the user's, env_file, env, velos's own. It refers to the texts of
 * q->base and q->spec. An env_file that cannot be read is an error. */
must_check int environ_build(const struct environ_query *q, struct environ *out, struct err *e);
