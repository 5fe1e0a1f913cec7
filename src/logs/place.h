/* src/logs/place.h: where the files of a log are, and with whose rights they are handled, for the length of
 * an operation.
 *
 * A daemon of root writes logs of apps of other users, often in a directory of that user, who can put a link
 * in the way at any instant. So whatever is done by name because of such a log is done with the rights of the
 * app's user (os/fsid.h), relative to a directory that was opened with them: a link leads no further than the
 * user could go alone. Where only root can change the path, link by link, it is done with root's rights:
 * there the administrator may set links, and the user need not be able to write (/var/log, the home's logs/).
 * Logs of apps of the daemon's own user have no rights (NULL), and cost nothing. */
#pragma once
#include <fcntl.h>

#include "base/text.h"
#include "os/fsid.h"

struct rights { /* of an app's user that is not the daemon's */
    struct os_fsid as;
    char *home_logs; /* the daemon's own directory of logs, which only root can change; or NULL */
};
/* All is copied. */
struct rights *rights_new(const struct os_fsid *as, const char *home_logs);
struct rights *rights_copy(const struct rights *r); /* NULL of NULL */
void rights_free(struct rights *r);
static inline void rights_done(struct rights **r)
{
    rights_free(*r);
}
#define own_rights __attribute__((cleanup(rights_done))) struct rights *
/* Of whoever can change the directory that `path` leads through: for a reader that knows no better. NULL:
 * only root can, or we are not root. The caller frees. */
struct rights *rights_of_path(const char *path, const char *home_logs);

/* Only root can change what is found by that name, and make it if it is not there. */
bool place_is_roots(const struct rights *r, const char *path);

struct place {
    int dir;          /* names are relative to it; AT_FDCWD: `name` is a whole path */
    const char *name; /* of the log */
    int open_flags;   /* for openat(2): O_NOFOLLOW, where a link has no business */
    bool entered;
    char *text; /* of place_begin() */
};

/* From here on the thread has the rights that apply to `path`, a log's name, and not for long: nothing but
 * calls by name may come before place_end(), and no other place_begin(). `name` is what to use for `path`
 * until place_find(): where root's part of it leads (which the user need not be able to pass) and the rest.
 * -1 and errno: the rights cannot be taken. */
must_check int place_begin(struct place *p, const struct rights *r, const char *path);
/* ... and its directory is open: `file` is where the name leads (logs/target.h). `make`: where other rights
 * apply than the thread's own, the directory is made if it is not there. -1 and errno. */
must_check int place_find(struct place *p, const char *file, bool make);
/* Both. The rights are those of `path`: where a user's link leads to a directory of root, they stay the
 * user's. -1: nothing to end. */
must_check int place_enter(struct place *p, const struct rights *r, const char *path, const char *file);
void place_end(struct place *p); /* keeps errno */
bool place_is_entered(void);     /* by this thread: it must not start another */

/* A place handled with the rights the thread has; nothing to end. */
static inline struct place place_own(const char *file)
{
    return (struct place){ .dir = AT_FDCWD, .name = file };
}
