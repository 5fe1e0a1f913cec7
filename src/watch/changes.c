#include "watch/changes.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"

/* FNV-1a, eight bytes at a time; mixed at the end. */
uint64_t changes_hash(const void *data, size_t n, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325u ^ seed, word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 29;
    }
    for (; n > 0; n--)
        h = (h ^ *p++) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15u;
    h ^= h >> 29;
    return h ? h : 1;
}

static void note(struct changes *c, const char *path)
{
    struct recent *newest = c->n_recent ? &c->recent[(c->n_recent - 1) % CHANGES_RECENT] : NULL;
    if (!newest || strcmp(newest->path, path) != 0) {
        newest = &c->recent[c->n_recent++ % CHANGES_RECENT];
        free(newest->path);
        newest->path = xstrdup(path);
    }
    newest->time = time_wall_ms();
}

void changes_add(struct changes *c, const char *path)
{
    uint64_t key = changes_hash(path, strlen(path), 0);
    c->hits++;
    if (map_get(&c->seen, key))
        return;
    map_put(&c->seen, key, c);
    if (!c->first)
        c->first = xstrdup(path);
    note(c, path);
    if (c->keep && c->seen.len <= CHANGES_LISTED_MOST)
        c->list = strv_add(c->list, path);
    else
        c->sure = true;
}

void changes_narrow(struct changes *c, const char *first, size_t n)
{
    free(c->first);
    c->first = xstrdup(first);
    c->narrowed = n;
}

size_t changes_count(const struct changes *c)
{
    return c->narrowed ? c->narrowed : c->seen.len;
}

void changes_clear(struct changes *c)
{
    map_done(&c->seen);
    text_free(&c->first);
    c->list = strv_free(c->list);
    c->sure = false;
    c->narrowed = 0;
}

void changes_done(struct changes *c)
{
    changes_clear(c);
    for (size_t i = 0; i < CHANGES_RECENT; i++)
        text_free(&c->recent[i].path);
}

void changes_write_recent(const struct changes *c, struct json_out *j, const char *key)
{
    size_t n = MIN(c->n_recent, (size_t)CHANGES_RECENT);
    json_open(j, key, '[');
    for (size_t i = 0; i < n; i++) {
        const struct recent *r = &c->recent[(c->n_recent - 1 - i) % CHANGES_RECENT];
        json_open(j, NULL, '{');
        json_str(j, "path", r->path);
        json_time(j, "time", r->time);
        json_close(j, '}');
    }
    json_close(j, ']');
}
