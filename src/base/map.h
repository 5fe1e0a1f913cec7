/* src/base/map.h: numbers to pointers (pid -> instance, id -> instance). Open addressing, grows by itself. */
#pragma once
#include "base/mem.h"

struct map_slot {
    uint64_t key; /* 0 = free; so a key is never 0: callers add 1 where theirs may be */
    void *value;
};
struct map {
    struct map_slot *slots;
    size_t cap, len; /* cap is 0 or a power of two */
};
void map_put(struct map *m, uint64_t key, void *value); /* replaces */
void *map_get(const struct map *m, uint64_t key);       /* NULL if absent */
void map_remove(struct map *m, uint64_t key);
void map_done(struct map *m);

/* FNV-1a; the same in every version: it is in what outlives one (app/environ.c). */
uint64_t map_hash(const void *data, size_t n);
uint64_t map_text_key(const char *text); /* a hash that is never 0; others may have the same */
