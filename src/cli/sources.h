/* src/cli/sources.h: which log files there are, and whose: the daemon is asked; without one they are found in
 * the home, and in what `velos save` wrote. */
#pragma once
#include "base/map.h"
#include "cli/cli.h"

struct source { /* a log file */
    char *app, *path;
    const char *stream;   /* "out", "err" */
    int64_t id, instance; /* id -1: not known without a daemon */
    bool several;         /* the app has more than one instance */
};
struct sources {
    struct source *all;
    size_t n;
    struct map by_path; /* places in `all`, from 1 */
    bool out, err;      /* which streams are wanted */
};
void sources_done(struct sources *s);

/* Adds those that are not there yet; a file that streams or instances share is there once. */
must_check int sources_find(struct cli *c, struct sources *s, struct err *e);
must_check int sources_ask(struct cli *c, struct sources *s,
                           struct err *e); /* of a daemon that runs, alone */

char *source_label(const struct source *s); /* "api", "api 2"; the caller frees */
