/* src/cli/sources.h: which log files there are, and whose: the daemon is asked; without one they are found in
 * the home, and in what `velos save` wrote. */
#pragma once
#include "base/map.h"
#include "cli/cli.h"
#include "logs/place.h"

struct source {            /* a log file */
    char **apps;           /* whose; several may share a file */
    char *path, *file;     /* its name, and where that leads: what it is told by (logs/target.h) */
    struct rights *rights; /* of the app's user (logs/place.h); NULL: our own */
    const char *stream;    /* "out", "err" */
    int64_t id, instance;  /* id -1: not known without a daemon */
    bool several;          /* the app has more than one instance */
    bool shared;           /* more than one instance writes to it, of one app or several: id is one of them */
};
struct sources {
    struct source *all;
    size_t n;
    struct map by_file;    /* places in `all`, from 1 */
    const char *home_logs; /* while the daemon's answer is read */
    bool out, err;         /* which streams are wanted */
    size_t devices;        /* logs that cannot be read back, left out ... */
    char *device;          /* ... as this one */
};
void sources_done(struct sources *s);

/* Adds those that are not there yet; a file that streams, instances or apps share is there once, and names
 * all apps, those that were not asked for as well. */
must_check int sources_find(struct cli *c, struct sources *s, struct err *e);
must_check int sources_ask(struct cli *c, struct sources *s,
                           struct err *e); /* of a daemon that runs, alone */

char *source_label(const struct source *s); /* "api", "api 2", "api,web,+3"; the caller frees */
