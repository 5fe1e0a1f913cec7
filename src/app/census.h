/* src/app/census.h: every process of the machine in one pass, and whose it is.
 *
 * A process belongs to an instance if it is in the session or group its main process leads, if its parent
 * belongs to it, if it was known as the instance's before (strays.h), or if it is an orphan whose environment
 * carries the instance's mark (only orphans are asked: reading environments is dear). A double fork with
 * setsid() ends up as an orphan of ours, of the keeper's or of init's with the mark still there; what it
 * forks is found below it. */
#pragma once
#include "app/app.h"
#include "os/procstat.h"

struct census {
    const struct world *world;
    pid_t self;
    struct proc_info *all;
    size_t n;
    int64_t *owner;    /* per process: an instance's id, or one of the two below */
    struct map by_pid; /* -> index + 1 */
    struct map leads;  /* session or group -> instance id + 1 */
    bool ask_init;     /* orphans of init are asked for their mark too */
    bool died;   /* a child of ours or of the keeper's, who was alive a moment ago: one of his may have been
                    born behind our back */
    bool unsure; /* an orphan of ours is on his way there */
    bool unreadable; /* there was no look at all: descriptors or memory have run out */
    bool vanished;   /* somebody did, or could not be asked: it may have been one */
};
enum { CENSUS_NOT_KNOWN_YET = -2, CENSUS_NOBODY = -1 };

/* Of the instances in `ask`; those of others count as nobody's. */
void census_take(struct census *c, const struct world *w, struct instance *const *ask, size_t n);

/* For figures, where a process that is missed now and then does no harm: those that were strangers last time
 * are looked at in one of STRANGERS_EVERY passes only, in turns (their numbers may be given anew). */
enum { STRANGERS_EVERY = 8 };
void census_take_ours(struct census *c, const struct world *w, struct instance *const *ask, size_t n,
                      struct strangers *s);
void census_note_strangers(struct census *c, struct strangers *s); /* once owners were asked for */
int64_t census_owner(struct census *c, const struct proc_info *p);
bool census_is_dead(const struct proc_info *p);
bool census_died_long_ago(const struct census *c); /* all of those, and a debugger keeps them from us */
void census_done(struct census *c);
