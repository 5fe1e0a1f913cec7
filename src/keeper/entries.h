/* src/keeper/entries.h: what the keeper keeps: descriptors by key. */
#pragma once
#include "base/list.h"
#include "proto/keep.h"

struct entry {
    struct link link;
    uint32_t hash;
    uint16_t n_fds;
    bool handed; /* this velosd has it */
    int *fds;
    char key[];
};

struct entry *entries_find(struct link *all, const char *key); /* NULL */
struct entry *entries_put(struct link *all, const struct keep_msg *m,
                          bool handed); /* takes m's descriptors */
void entries_keep(struct link *all, const char *key, int take_fd);
void entry_free(struct entry *e);
int entries_fd(struct link *all, const char *key); /* the first descriptor, which stays the entry's; or -1 */
