#include "base/shared.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

struct shared {
    struct shared *next; /* of the same key */
    unsigned refs;
    char text[];
};
static struct map pool; /* key of a text -> the first of its shared ones */

static const char *take(const char *text)
{
    uint64_t key = map_text_key(text);
    struct shared *first = map_get(&pool, key), *s = first;
    while (s && strcmp(s->text, text) != 0)
        s = s->next;
    if (!s) {
        size_t n = strlen(text) + 1;
        s = xmalloc(sizeof(*s) + n);
        *s = (struct shared){ .next = first };
        memcpy(s->text, text, n);
        map_put(&pool, key, s);
    }
    s->refs++;
    return s->text;
}

static void drop(const char *text)
{
    uint64_t key = map_text_key(text);
    struct shared *first = map_get(&pool, key), **at = &first;
    while ((*at)->text != text)
        at = &(*at)->next;
    struct shared *s = *at;
    if (--s->refs > 0)
        return;
    *at = s->next;
    free(s);
    if (first)
        map_put(&pool, key, first);
    else
        map_remove(&pool, key);
    if (pool.len == 0)
        map_done(&pool);
}

void shared_set(const char **kept, const char *now)
{
    const char *before = *kept;
    *kept = now ? take(now) : NULL;
    if (before)
        drop(before);
}
