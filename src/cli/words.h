/* src/cli/words.h: words of commands that mean something of their own: a number of instances, a signal, the
 * name of a variable whose value nobody should read over one's shoulder. */
#pragma once
#include "base/text.h"

struct words_scale {
    bool change; /* so many more; else so many in all */
    int64_t n;   /* INSTANCES_MAX: one for each CPU */
};
must_check int words_scale(const char *word, struct words_scale *out,
                           struct err *e); /* "4" "+1" "-2" "max" */

/* "SIGHUP" "hup" "1" "SIGRTMIN+3": its number in *out. ERR_USAGE names the nearest one. */
must_check int words_signal(const char *word, int *out, struct err *e);

bool words_is_secret(const char *name); /* of a variable: API_KEY, github_token */
