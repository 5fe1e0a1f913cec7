#include "keeper/entries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t hash_of(const char *key)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 16777619u;
    return h;
}

struct entry *entries_find(struct link *all, const char *key)
{
    uint32_t hash = hash_of(key);
    list_each (l, all) {
        struct entry *e = container_of(l, struct entry, link);
        if (e->hash == hash && strcmp(e->key, key) == 0)
            return e;
    }
    return NULL;
}

static void entry_drop_fds(struct entry *e)
{
    for (size_t i = 0; i < e->n_fds; i++)
        close(e->fds[i]);
    free(e->fds);
    e->fds = NULL;
    e->n_fds = 0;
}

void entry_free(struct entry *e)
{
    list_remove(&e->link);
    entry_drop_fds(e);
    free(e);
}

struct entry *entries_put(struct link *all, const struct keep_msg *m, bool handed)
{
    struct entry *e = entries_find(all, m->key);
    if (!e) {
        size_t n = strlen(m->key) + 1;
        e = xcalloc(1, sizeof(*e) + n);
        memcpy(e->key, m->key, n);
        e->hash = hash_of(m->key);
        list_append(all, &e->link);
    }
    entry_drop_fds(e);
    e->n_fds = m->head.n_fds;
    e->fds = xcalloc(e->n_fds, sizeof(int));
    memcpy(e->fds, m->fds, sizeof(int) * e->n_fds);
    e->handed = handed;
    return e;
}

void entries_keep(struct link *all, const char *key, int take_fd)
{
    struct keep_msg m = { .head = { .n_fds = 1 }, .fds = { take_fd } };
    snprintf(m.key, sizeof(m.key), "%s", key);
    entries_put(all, &m, false);
}

int entries_fd(struct link *all, const char *key)
{
    const struct entry *e = entries_find(all, key);
    return e && e->n_fds ? e->fds[0] : -1;
}
