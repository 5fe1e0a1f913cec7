/* src/app/select.h: which apps, which instances a person means: a name, an id, `all`, ns/name, ns/<star>,
 * /regex/. */
#pragma once
#include "app/app.h"

struct selection {
    struct app **apps; /* each once, in the order they were asked for */
    size_t n;
};

/* ERR_NOT_FOUND, with the nearest name, if a selector matches nothing; then nothing is selected. `all`
 * matches an empty list. select is a JSON array of texts; NULL: all. */
must_check int select_apps(const struct world *w, const json_t *select, struct selection *out, struct err *e);
void selection_done(struct selection *s);

/* The instances meant: with an id as selector that one alone, else all of the app. */
bool select_has_instance(const json_t *select, const struct instance *in);
