#include "logs/sinks.h"

#include <string.h>

void sinks_init(struct sinks *all)
{
    list_init(&all->all);
    all->by_path = (struct map){ 0 };
}

void sinks_done(struct sinks *all)
{
    map_done(&all->by_path);
}

static bool is_it(const struct sink *s, const char *path, const struct rights *rights)
{
    return strcmp(s->path, path) == 0 && sink_is_shared_with(s, rights);
}

struct sink *sinks_find(const struct sinks *all, const char *path, const struct rights *rights)
{
    struct sink *found = map_get(&all->by_path, map_text_key(path));
    if (!found || is_it(found, path, rights))
        return found;
    list_each (l, &all->all) { /* two with one key */
        struct sink *s = container_of(l, struct sink, link);
        if (is_it(s, path, rights))
            return s;
    }
    return NULL;
}

void sinks_add(struct sinks *all, struct sink *s)
{
    list_append(&all->all, &s->link);
    if (map_get(&all->by_path, map_text_key(s->path)))
        all->shared = true;
    else
        map_put(&all->by_path, map_text_key(s->path), s);
}

/* Another one with the same key takes its place. */
void sinks_remove(struct sinks *all, struct sink *s)
{
    uint64_t key = map_text_key(s->path);
    list_remove(&s->link);
    if (map_get(&all->by_path, key) != s)
        return;
    map_remove(&all->by_path, key);
    if (!all->shared)
        return;
    list_each (l, &all->all) {
        struct sink *other = container_of(l, struct sink, link);
        if (map_text_key(other->path) == key)
            map_put(&all->by_path, key, other);
    }
}
