/* src/os/fsid.h: the file-system identity of the calling thread: whose rights apply when it opens, creates,
 * renames or deletes a file by name.
 *
 * For a daemon of root that handles files in directories of another user. While a thread has entered an
 * identity, no file can be reached that its user cannot reach, whatever the user does to the path meanwhile.
 * It does not apply to descriptors that are open already.
 *
 * While entered: start no thread and no process (they would inherit it), send no signal, and leave soon. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct os_fsid {
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* supplementary; the caller's, needed for the call only */
    int n_groups;
};

/* The calling thread takes the identity. Nothing happens if it is the process's own, or if the process is not
 * root: then it has no rights to give up. 0; or -1, and the thread has its own identity. Not nested. */
must_check int os_fsid_enter(const struct os_fsid *id, struct err *e);
/* Back to the process's own; nothing after an enter that did nothing. Where that fails the process aborts: a
 * thread with an unknown identity must not run on. Keeps errno. */
void os_fsid_leave(void);

/* While entered: a directory by name, for *at() calls (O_PATH where there is that). No link of /proc is
 * followed on the way (fd/N, cwd, root lead past the permissions of what they lead through; from Linux 5.6
 * on). -1 and errno. */
int os_fsid_open_dir(const char *path);

/* Of a directory: what it says about owner and mode is made up by a user's program (FUSE). */
bool os_fsid_is_made_up(int fd);
