/* src/os/spawn.h: one child, as an app should find the world: its own session and process group, only the
 * descriptors it was given, default signals, nothing blocked. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/def.h"

struct os_spawn {
    const char *exec; /* absolute path */
    char *const *argv, *const *envp;
    const char *cwd;
    int in, out, err; /* in: -1 is /dev/null */
    int channel;      /* becomes descriptor 3; -1: none */
    mode_t umask;
    long nofile;  /* soft RLIMIT_NOFILE; 0: as it is */
    uint64_t tag; /* os/proctag.h; 0: none */

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
};

enum { OS_BIRTHS = 8 }; /* so many at once are worth while; more are taken too */

/* Gives birth to all of them; many go side by side where there are processors for it. When it returns, exec
 * has succeeded or failed for each: the child of a failed one is already reaped. Linux: it costs the same
 * however large we are and however many descriptors we have open. */
void os_spawn(struct os_birth *births, size_t n);

/* No more births for now: lets go of what is only good for the next ones (stacks, the last child's
 * descriptors). */
void os_spawn_rest(void);

/* At the program's start, before anything else is opened: takes what os_spawn() needs for itself. 0, or -1
 * with errno. */
int os_spawn_init(void);
