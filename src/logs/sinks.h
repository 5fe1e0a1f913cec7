/* src/logs/sinks.h: the sinks of a pump, found by path. */
#pragma once
#include "base/map.h"
#include "logs/sink.h"

struct sinks {
    struct link all;
    struct map by_path; /* by a hash of it; of two with the same, as of two users', one ... */
    bool shared;        /* ... and it came to that */
};
void sinks_init(struct sinks *all);
void sinks_done(struct sinks *all);
/* Of a stream with these rights (sink_is_shared_with). */
struct sink *sinks_find(const struct sinks *all, const char *path, const struct rights *rights);
void sinks_add(struct sinks *all, struct sink *s);
void sinks_remove(struct sinks *all, struct sink *s);
