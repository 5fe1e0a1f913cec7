/* src/conf/config.h: a velos.toml as a whole: its apps, checked, profile merged. */
#pragma once
#include "conf/keys.h"

struct config {
    struct app_spec **apps; /* in file order */
    size_t len;
};

struct config_query {
    const char *path;    /* the TOML file */
    char *const *only;   /* strv of names, or NULL: all */
    const char *profile; /* --env, or NULL */
};

/* Returns 0 with *out filled, or -1 with at least one problem (with line, column, nearest name); all
 * problems of the file at once. A file that cannot be read is a problem too. */
must_check int config_load(const struct config_query *q, struct config *out, struct conf_problems *problems);
void config_done(struct config *c);
