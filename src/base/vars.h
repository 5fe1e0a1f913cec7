/* src/base/vars.h: variables, "NAME=value", each name once and the last wins; found by their names, however
 * many there are. */
#pragma once
#include "base/map.h"

/* Zero is an empty one. The texts are not its own. */
struct vars {
    char **v; /* NULL-terminated once something is in it */
    size_t n, cap;
    struct map by_name;
};
/* Adds `pair`, or puts it in the place of the one with its name, which it returns; else NULL. */
char *vars_put(struct vars *vars, char *pair);
const char *vars_get(const struct vars *vars, const char *name); /* the value; or NULL */
char **vars_steal(struct vars *vars); /* the list, which is the caller's now; may be NULL */
void vars_done(struct vars *vars);
#define own_vars __attribute__((cleanup(vars_done))) struct vars
