/* src/app/entry.h: apps and instances as the keeper keeps them: JSON text with a version, and descriptors.
 *
 * Keys: "daemon", "lock", "sock", "env/<hash>", "app/<name>", "in/<id>". A member this version does not know
 * is kept where it can be (settings) so that an update and a step back lose nothing. */
#pragma once
#include "app/app.h"

enum { ENTRY_VERSION = 1 };

void entry_instance_key(int64_t id, char out[KEEP_KEY_MOST]);
void entry_app_key(const char *name, char out[KEEP_KEY_MOST]);
void entry_environ_key(const struct environ_blob *b, char out[KEEP_KEY_MOST]);

size_t entry_of_instance(const struct instance *in, char key[KEEP_KEY_MOST], struct buf *blob,
                         int fds[KEEP_FDS_MOST]); /* returns how many fds */
void entry_of_app(const struct app *a, char key[KEEP_KEY_MOST], struct buf *blob);

void entry_of_world(const struct world *w, struct buf *blob); /* key "daemon": what belongs to no app */

/* One entry into a file for execve(2); a large blob goes beside it, as in a put. 0 or -1. */
int entry_add_to_file(struct keep_file *f, const char *key, pid_t pid, const struct buf *blob, const int *fds,
                      size_t n_fds);

/* Puts for the two above and for a new environment. */
void entry_put_app(const struct app *a);
void entry_put_environ(struct world *w, const struct environ_blob *b);

/* Back from text. The app has no instances yet; the environment is found by its hash in world.environs. */
must_check int entry_read_app(struct world *w, const char *blob, size_t n, struct app **out, struct err *e);
/* pid is what the keeper knows (a child's own word may be newer than the text). The instance's timer and
 * watches are not started: adopt.c does that once all is read. */
must_check int entry_read_instance(struct world *w, const char *blob, size_t n, pid_t pid, const int *fds,
                                   size_t n_fds, struct instance **out, struct err *e);
