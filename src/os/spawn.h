/* src/os/spawn.h: one child, as an app should find the world: its own session and process group, only the
 * descriptors it was given, default signals, nothing blocked.
 *
 * Between fork and exec a child can be stopped, slowed and sent signals by each process of its user, and its
 * directory or program can be on a file system that does not respond. os_spawn() waits a short time; of a
 * child that has not come to its exec by then the caller gets the pid, and a descriptor that becomes readable
 * once exec has succeeded or failed. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/def.h"
#include "os/limits.h"

struct os_spawn {
    const char *exec; /* absolute path */
    char *const *argv, *const *envp;
    const char *cwd;
    int in, out, err; /* in: -1 is /dev/null */
    int channel;      /* becomes descriptor 3; -1: none */
    mode_t umask;
    const struct os_limits *limits; /* NULL: as they are */
    uint64_t tag;                   /* os/proctag.h; 0: none */

    bool has_user;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t n_groups;

    /* Shared memory that outlives us: the child's pid stands there before it runs its first instruction; 0
     * again before a child that failed is reaped. */
    int32_t *born;
};

enum os_spawn_step { SPAWN_OK, SPAWN_FORK, SPAWN_USER, SPAWN_CHDIR, SPAWN_EXEC };

struct os_birth {
    struct os_spawn how;

    /* the answer */
    pid_t pid;      /* or -1, with error (errno) and the step that failed */
    uint64_t start; /* as procstat_read() tells it; 0: it is gone already */
    int error;
    enum os_spawn_step step;
    int report; /* -1; or, with a pid: whether exec succeeds is to be read from here (os_spawn_read()) */
};

enum { OS_BIRTHS = 8 }; /* so many at once are worth while; more are taken too */

/* Starts all of them; many go side by side where there are processors for it. When it returns, exec has
 * succeeded or failed for each that has no `report`, and the child of a failed one is already reaped. Linux:
 * that costs the same however large we are and however many descriptors we have open. A `report` is the
 * caller's to read and close. The caller reaps children it does not know as well (one that was given up). */
void os_spawn(struct os_birth *births, size_t n);

/* Reads a report, without waiting. 0: nothing is known yet; 1: SPAWN_OK (exec has succeeded, or the child was
 * killed before), or *step has failed with errno *error and the child, not reaped yet, is on its way out. */
int os_spawn_read(int report, enum os_spawn_step *step, int *error);

/* No more births for now: lets go of what is only good for the next ones (stacks, the last child's
 * descriptors). */
void os_spawn_rest(void);

/* At the program's start, before anything else is opened: takes what os_spawn() needs for itself. 0, or -1
 * with errno. */
int os_spawn_init(void);
