#include "base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t home_of(const struct map *m, uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (m->cap - 1);
}

static void grow(struct map *m)
{
    struct map old = *m;
    m->cap = old.cap ? old.cap * 2 : 16;
    m->slots = xcalloc(m->cap, sizeof(*m->slots));
    m->len = 0;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].key)
            map_put(m, old.slots[i].key, old.slots[i].value);
    free(old.slots);
}

void map_put(struct map *m, uint64_t key, void *value)
{
    assert(key != 0);
    if ((m->len + 1) * 4 > m->cap * 3)
        grow(m);
    size_t i = home_of(m, key);
    while (m->slots[i].key && m->slots[i].key != key)
        i = (i + 1) & (m->cap - 1);
    m->len += m->slots[i].key == 0;
    m->slots[i] = (struct map_slot){ key, value };
}

void *map_get(const struct map *m, uint64_t key)
{
    if (!m->cap || !key)
        return NULL;
    for (size_t i = home_of(m, key); m->slots[i].key; i = (i + 1) & (m->cap - 1))
        if (m->slots[i].key == key)
            return m->slots[i].value;
    return NULL;
}

void map_remove(struct map *m, uint64_t key)
{
    if (!m->cap || !key)
        return;
    size_t i = home_of(m, key);
    for (; m->slots[i].key != key; i = (i + 1) & (m->cap - 1))
        if (!m->slots[i].key)
            return;
    m->slots[i].key = 0;
    m->len--;
    /* Those behind may have been pushed past the hole: put them in again. */
    for (size_t j = (i + 1) & (m->cap - 1); m->slots[j].key; j = (j + 1) & (m->cap - 1)) {
        struct map_slot s = m->slots[j];
        m->slots[j].key = 0;
        m->len--;
        map_put(m, s.key, s.value);
    }
}

uint64_t map_hash(const void *data, size_t n)
{
    uint64_t h = 14695981039346656037u;
    for (const unsigned char *p = data, *end = p + n; p < end; p++)
        h = (h ^ *p) * 1099511628211u;
    return h;
}

uint64_t map_text_key(const char *text)
{
    return map_hash(text, strlen(text)) | 1;
}

void map_done(struct map *m)
{
    free(m->slots);
    *m = (struct map){ 0 };
}
