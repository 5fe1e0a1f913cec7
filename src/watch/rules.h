/* src/watch/rules.h: what of a watched tree is not watched: the globs that are always there, those of the
 * app, and velos's own files, whatever the globs say. */
#pragma once
#include "watch/glob.h"

struct rules_spec {
    const char
        *base; /* patterns with a slash are relative to it; where a path is not below it, to its root */
    char *const *ignore; /* patterns; may be NULL */
    const char *home;    /* of velos; its files are never watched */
    char *const
        *own_logs; /* absolute: nor are these, their numbered fellows, and what rotation makes of them */
};

struct rules;
struct rules *rules_new(const struct rules_spec *s);
struct rules *rules_free(struct rules *r);

/* The rule that says so, or NULL: it is watched. The folders above it are not, down to the root (which never
 * is). */
const char *rules_ignore(const struct rules *r, const char *root, const char *path, bool is_folder);

extern const char *const rules_always[]; /* globs; NULL-terminated */
