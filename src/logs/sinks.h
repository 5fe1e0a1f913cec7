/* src/logs/sinks.h: the sinks of a pump, found by path. */
#pragma once
#include "base/map.h"
#include "logs/sink.h"

struct sinks {
    struct link all;
    struct map by_path; /* by a hash of it; of two with the same, one ... */
    bool shared;        /* ... and it came to that */
};
void sinks_init(struct sinks *all);
void sinks_done(struct sinks *all);
struct sink *sinks_find(const struct sinks *all, const char *path);
void sinks_add(struct sinks *all, struct sink *s);
void sinks_remove(struct sinks *all, struct sink *s);
