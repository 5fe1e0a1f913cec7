/* src/watch/changes.h: the paths that changed since somebody last asked, and the last ones of all times. */
#pragma once
#include "base/json.h"
#include "base/map.h"

enum { CHANGES_RECENT = 10, CHANGES_LISTED_MOST = 4096 };

struct changes {
    struct map seen; /* hashes of paths: each counts once */
    char *first;     /* or NULL */
    uint64_t hits;   /* of all times, each */
    bool keep;       /* whether paths are listed, too */
    char **list;     /* strv */
    size_t narrowed; /* how many of those listed count after all; 0: all that were seen */
    bool sure;       /* not to be looked into: more than one would list, or something else than a file */
    struct recent {
        char *path;
        int64_t time; /* wall ms */
    } recent[CHANGES_RECENT];
    size_t n_recent; /* of all times */
};

void changes_add(struct changes *c, const char *path);
void changes_narrow(struct changes *c, const char *first, size_t n); /* only n do, and this is the first */
size_t changes_count(const struct changes *c);
void changes_clear(struct changes *c); /* but for the recent ones */
void changes_done(struct changes *c);
void changes_write_recent(const struct changes *c, struct json_out *j,
                          const char *key); /* the newest first */

uint64_t changes_hash(const void *data, size_t n, uint64_t seed); /* never 0 */
