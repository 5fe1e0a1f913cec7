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
    long nofile; /* soft RLIMIT_NOFILE; 0: as it is */

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

/* The child's pid, or -1 with errno and *step set. When it returns, exec has succeeded or failed: the
 * child of a failed spawn is already reaped. Linux: it costs the same however large we are and however many
 * descriptors we have open. */
pid_t os_spawn(const struct os_spawn *s, enum os_spawn_step *step);

/* At the program's start, before anything else is opened: takes what os_spawn() needs for itself. 0, or -1
 * with errno. */
int os_spawn_init(void);
