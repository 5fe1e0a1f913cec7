/* src/app/saved.h: the list of apps as state.json keeps it (docs/state-json.md): what is wanted, not what
 * happens to be. An app that waits for its next restart is saved as running, one that is just being stopped
 * as stopped.
 *
 * Reading is in two steps: saved_parse() needs no world and may run on any thread; saved_restore() makes one
 * app of what was read. */
#pragma once
#include "app/app.h"
#include "base/json.h"

enum { SAVED_VERSION = 1 };

size_t saved_write(const struct world *w, struct buf *out); /* returns how many apps */

/* ERR_PARSE: damaged, and where; ERR_VERSION: a later velos wrote it. */
must_check int saved_parse(const char *text, size_t n, json_t **out, struct err *e);
const char *saved_is_unreadable(const char *text, size_t n); /* "damaged", "newer"; NULL: it can be read */

size_t saved_len(const json_t *saved);
const char *saved_name(const json_t *saved, size_t i);
void saved_begin(struct world *w, const json_t *saved); /* once, before the apps */

/* 1: *out is new and kept; its instances that are to run are WAITING, due now (dry: STOPPED). 0: *out was
 * there already. */
must_check int saved_restore(struct world *w, const json_t *saved, size_t i, bool dry, struct app **out,
                             struct err *e);
