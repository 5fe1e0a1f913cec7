#include "store/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"

#define FRESH "state.json.new"
#define OTHER "state.json.1.new"

int state_file_read(const char *home, const char *name, char **out, size_t *n, struct err *e)
{
    own_text path = path_join(home, name);
    if (file_read(path, STATE_MOST, out, n, e) == 0)
        return 0;
    if (e->sys == ENOENT)
        e->code = ERR_NOT_FOUND;
    return -1;
}

static int write_fresh(int dir, const struct buf *text, struct err *e)
{
    own_fd fd = openat(dir, FRESH, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, "open " FRESH);
    if (fchmod(fd, 0600) < 0 || file_write_all(fd, text->data, text->len, e) < 0 || fsync(fd) < 0)
        return err_sys(e, "write " FRESH);
    return 0;
}

/* A second name for the present file takes the previous one's place. Where a file has one name only, it
 * moves; until the new one is there the previous one stands for both. */
static int keep_previous(int dir, struct err *e)
{
    unlinkat(dir, OTHER, 0);
    if (linkat(dir, STATE_FILE, dir, OTHER, 0) == 0) {
        fault_point("save.linked");
        if (renameat(dir, OTHER, dir, STATE_PREVIOUS) < 0)
            return err_sys(e, "keep " STATE_PREVIOUS);
        unlinkat(dir, OTHER, 0); /* both were names of one file already: then rename does nothing */
        return 0;
    }
    if (errno == ENOENT || renameat(dir, STATE_FILE, dir, STATE_PREVIOUS) == 0)
        return 0;
    return err_sys(e, "keep " STATE_PREVIOUS);
}

/* A file that cannot be read (damaged, or of a later version) keeps its content under a name of its own. */
static int keep_aside(int dir, const char *name, const char *why, char **moved, struct err *e)
{
    char stamp[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
    own_text aside = xasprintf("%s.%s-%s", name, why, stamp);
    for (int n = 2; faccessat(dir, aside, F_OK, AT_SYMLINK_NOFOLLOW) == 0; n++) {
        free(aside);
        aside = xasprintf("%s.%s-%s-%d", name, why, stamp, n);
    }
    if (renameat(dir, name, dir, aside) < 0)
        return err_sys(e, "keep the %s file as %s", why, aside);
    free(*moved);
    *moved = steal(aside);
    return 0;
}

/* NULL: there is none, or it can be read. */
static const char *unreadable(const char *home, const char *name, state_is_unreadable *why)
{
    own_text text = NULL;
    size_t n = 0;
    struct err none;
    return state_file_read(home, name, &text, &n, &none) == 0 ? why(text, n) : NULL;
}

static int replace(const char *home, int dir, const struct buf *text, state_is_unreadable *is_unreadable,
                   char **moved, struct err *e)
{
    const char *why;
    fault_point("save.begin");
    if (write_fresh(dir, text, e) < 0)
        return -1;
    fault_point("save.written");
    if ((why = unreadable(home, STATE_PREVIOUS, is_unreadable)) &&
        keep_aside(dir, STATE_PREVIOUS, why, moved, e) < 0)
        return -1;
    why = unreadable(home, STATE_FILE, is_unreadable);
    if (why ? keep_aside(dir, STATE_FILE, why, moved, e) < 0 : keep_previous(dir, e) < 0)
        return -1;
    fault_point("save.kept");
    if (renameat(dir, FRESH, dir, STATE_FILE) < 0)
        return err_sys(e, "rename " FRESH);
    fault_point("save.renamed");
    return fsync(dir) < 0 && errno != EINVAL ? err_sys(e, "flush the directory") : 0;
}

int state_file_write(const char *home, const struct buf *text, state_is_unreadable *is_unreadable,
                     char **moved, struct err *e)
{
    own_fd dir = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *moved = NULL;
    if (dir < 0)
        return err_sys(e, "%s", home);
    if (replace(home, dir, text, is_unreadable, moved, e) == 0)
        return 0;
    unlinkat(dir, FRESH, 0);
    return err_in(e, "%s/" STATE_FILE, home);
}
