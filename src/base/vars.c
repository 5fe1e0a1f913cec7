#include "base/vars.h"

#include <stdlib.h>
#include <string.h>

/* The key of `name`, and in *at where it is; *at is vars->n where it is not. Names of one hash stand at keys
 * that follow each other: none is ever removed. */
static uint64_t look_up(const struct vars *vars, const char *name, size_t len, size_t *at)
{
    uint64_t key = map_hash(name, len) | 1;
    for (;; key += 2) {
        size_t found = (size_t)(uintptr_t)map_get(&vars->by_name, key);
        *at = found ? found - 1 : vars->n;
        if (!found || (strncmp(vars->v[*at], name, len) == 0 && vars->v[*at][len] == '='))
            return key;
    }
}

char *vars_put(struct vars *vars, char *pair)
{
    size_t at;
    uint64_t key = look_up(vars, pair, strcspn(pair, "="), &at);
    if (at < vars->n) {
        char *before = vars->v[at];
        vars->v[at] = pair;
        return before;
    }
    if (vars->n + 2 > vars->cap) {
        vars->cap = vars->cap ? vars->cap * 2 : 64;
        vars->v = xrealloc(vars->v, vars->cap * sizeof(*vars->v));
    }
    vars->v[vars->n++] = pair;
    vars->v[vars->n] = NULL;
    map_put(&vars->by_name, key, (void *)(uintptr_t)vars->n);
    return NULL;
}

const char *vars_get(const struct vars *vars, const char *name)
{
    size_t at, len = strlen(name);
    look_up(vars, name, len, &at);
    return at < vars->n ? vars->v[at] + len + 1 : NULL;
}

char **vars_steal(struct vars *vars)
{
    char **v = vars->v ? xrealloc(vars->v, (vars->n + 1) * sizeof(*v)) : NULL;
    vars->v = NULL;
    vars_done(vars);
    return v;
}

void vars_done(struct vars *vars)
{
    free(vars->v);
    map_done(&vars->by_name);
    *vars = (struct vars){ 0 };
}
