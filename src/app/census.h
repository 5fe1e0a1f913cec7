/* src/app/census.h: every process of the machine in one pass, and whose it is.
 *
 * A process belongs to an instance, by the first of these that holds:
 *
 *   - it is in the session or group its main process leads
 *   - its parent belongs to it
 *   - it was seen as the instance's before (strays.h)
 *   - its tag says so (os/proctag.h), which passes to all descendants and cannot be forged
 *   - VELOS_INSTANCE in its environment says so, and its user is the instance's: an environment is only a
 *     claim, and a process of another user must not be counted, or ended, as part of this app
 *   - it is a child of velosd or the keeper and none of the above: only apps have descendants there, so it is
 *     some app's. For a stop it counts as the instance's that is being stopped, unless another instance that
 *     may have started it is to live on.
 *
 * The last three are asked of orphans alone: reading files of every process is expensive, and what has a
 * parent is found below it. Orphans are children of velosd, of the keeper (after a velosd has died) or, once
 * a keeper has died, of init or whatever reaps above it. */
#pragma once
#include "app/app.h"
#include "os/procstat.h"

/* What is asked about single processes. */
struct census_facts {
    uint64_t (*tag)(pid_t pid);
    enum procstat_env (*env)(pid_t pid, const char *name, char *out, size_t size);
    bool (*user)(pid_t pid, uid_t *out);
};

struct census {
    const struct world *world;
    const struct census_facts *facts;
    pid_t self;
    pid_t reaper; /* what orphans of a dead keeper fall to, beside init */
    struct instance *const *ask;
    size_t n_ask;
    struct proc_info *all;
    size_t n;
    int64_t *owner;    /* per process: an instance's id, or one of the two below */
    struct map by_pid; /* -> index + 1 */
    struct map leads;  /* session or group -> instance id + 1 */
    bool stopping;     /* for a stop: orphans of init are asked too, and those that nothing names count */
    bool died;       /* a child of ours or of the keeper's, which was alive a moment ago: a process it forked
                        may be missing in the list */
    bool unsure;     /* an orphan of ours is exiting */
    bool unreadable; /* there was no look at all: descriptors or memory have run out */
    bool vanished;   /* a process did, or could not be asked: it may have been one of ours */
};
enum { CENSUS_NOT_KNOWN_YET = -2, CENSUS_NOBODY = -1 };

/* Of the instances in `ask`, which stay the caller's until census_done(); those of others count as unowned.
 */
void census_take(struct census *c, const struct world *w, struct instance *const *ask, size_t n);

/* The same of nothing but children of velosd, and of the keeper after a takeover, that are no main processes:
 * whatever is left of an app without a main process is one of them or below one. A list of the keeper's
 * children may lack some. False: the system has no such lists. */
bool census_take_orphans(struct census *c, const struct world *w, struct instance *const *ask, size_t n);

/* The same of a list of processes that is there already. */
void census_of(struct census *c, const struct world *w, struct instance *const *ask, size_t n,
               struct proc_info *take_all, size_t n_all, const struct census_facts *facts);

/* For figures, where a process that is missed now and then does no harm: those that were strangers last time
 * are looked at in one of STRANGERS_EVERY passes only, in turns (their numbers may be given anew). */
enum { STRANGERS_EVERY = 8 };
void census_take_ours(struct census *c, const struct world *w, struct instance *const *ask, size_t n,
                      struct strangers *s);
void census_note_strangers(struct census *c, struct strangers *s); /* once owners were asked for */
int64_t census_owner(struct census *c, const struct proc_info *p);
bool census_is_dead(const struct proc_info *p);
bool census_died_long_ago(const struct census *c); /* all of those, and a debugger keeps them from us */
/* It is below velosd or the keeper, and neither tag nor environment names an app, of today or gone. */
bool census_is_unowned(struct census *c, const struct proc_info *p);
void census_done(struct census *c);
