/* src/app/entry.h: apps and instances as they outlive us: JSON text with a version in the ledger, descriptors
 * with the keeper.
 *
 * Texts: "daemon", "env/<hash>", "app/<name>", "in/<id>". Descriptors: "ledger", "lock", "sock", "notify",
 * "notify-users", and of an instance "io/<id>" (both ends of its stdout, stderr and stdin), "ch/<id>" (Node's
 * channel), "pf/<id>" (the pidfd of an adopted main process), "nt/<id>" (its own socket of sd_notify). Each
 * kind comes and goes by itself: descriptors without their text, or of a child that the text knows nothing
 * of, are left over from a death in between and are dropped. A member this version does not know is kept
 * where it can be (settings) so that an update and a step back lose nothing. */
#pragma once
#include "app/app.h"
#include "base/json.h"

enum { ENTRY_VERSION = 1 };

void entry_put_instance(struct instance *in);
void entry_put_app(struct app *a);
void entry_put_environ(struct world *w, struct environ_blob *b);
void entry_put_world(struct world *w);
void entry_forget_instance(struct instance *in); /* its text and its descriptors */
void entry_forget_app(struct app *a);
void entry_forget_environ(struct world *w, struct environ_blob *b);

/* What of an instance outlives its processes: when it last started, counters, lives; state.json has it too.
 */
void entry_write_past(struct json_out *j, const struct instance *in);
void entry_read_past(struct instance *in, const json_t *o);

/* Descriptors, as they are now. */
enum entry_fds { ENTRY_PIPES, ENTRY_CHANNEL, ENTRY_PIDFD, ENTRY_NOTIFY, ENTRY_FDS_N };
void entry_put_fds(struct instance *in, enum entry_fds kind);
void entry_drop_fds(struct instance *in, enum entry_fds kind);
int entry_add_all_fds(const struct instance *in, struct keep_file *f); /* for execve(2); 0 or -1 */

/* Back from text. Of an app the environment is found by its hash in world.environs; it has no instances yet.
 * An instance's timer and watches are not started: adopt.c does that once all is read. */
must_check int entry_read_app(struct world *w, const struct ledger_entry *from, int slot, struct app **out,
                              struct err *e);
must_check int entry_read_instance(struct world *w, const struct ledger_entry *from, int slot,
                                   struct instance **out, struct err *e);
must_check int entry_read_world(struct world *w, const struct ledger_entry *from, int slot, struct err *e);
bool entry_is_fds(const char *key);                                              /* of an instance */
void entry_take_fds(struct world *w, const char *key, const int *fds, size_t n); /* takes them all */
