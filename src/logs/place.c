#include "logs/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { LINKS_MAX = 40 };

#ifdef O_PATH
enum { WALK = O_PATH | O_DIRECTORY | O_CLOEXEC };
#else
enum { WALK = O_RDONLY | O_DIRECTORY | O_CLOEXEC };
#endif

static _Thread_local int depth; /* of places that have entered */

struct rights *rights_new(const struct os_fsid *as, const char *home_logs)
{
    struct rights *r = xnew(struct rights);
    size_t n = (size_t)as->n_groups;
    gid_t *groups = xcalloc(n + 1, sizeof(*groups));
    if (n)
        memcpy(groups, as->groups, n * sizeof(*groups));
    r->as = *as;
    r->as.groups = groups;
    r->home_logs = home_logs ? xstrdup(home_logs) : NULL;
    return r;
}

struct rights *rights_copy(const struct rights *r)
{
    return r ? rights_new(&r->as, r->home_logs) : NULL;
}

void rights_free(struct rights *r)
{
    if (!r)
        return;
    free((gid_t *)r->as.groups);
    free(r->home_logs);
    free(r);
}

/* A walk along a path, link by link, as far as only root can change what is found. */

struct walk {
    int at;     /* the directory we are in */
    char *rest; /* what is still to be walked */
    int links;
    dev_t dev;           /* of the last directory */
    struct stat changer; /* the first directory that another user can change */
};

/* Root owns it and no other may write to it. With a sticky bit (/tmp) others may add names, and leave root's
 * alone: such a directory can be passed through, by a name that is root's. */
static bool is_roots_dir(struct walk *w, bool *sticky)
{
    struct stat st;
    if (fstat(w->at, &st) < 0)
        return false;
    w->changer = st;
    *sticky = st.st_mode & S_IWOTH || st.st_mode & S_IWGRP;
    if (st.st_uid != 0 || (*sticky && !(st.st_mode & S_ISVTX)))
        return false;
    bool another = st.st_dev != w->dev;
    w->dev = st.st_dev;
    return !another || !os_fsid_is_made_up(w->at);
}

/* The next part of the path, without slashes; "" at its end. The caller frees. */
static char *next_part(struct walk *w, bool *last)
{
    const char *from = w->rest + strspn(w->rest, "/");
    size_t n = strcspn(from, "/");
    char *part = xstrndup(from, n);
    char *rest = xstrdup(from + n);
    free(w->rest);
    w->rest = rest;
    *last = rest[strspn(rest, "/")] == '\0';
    return part;
}

static bool go_to(struct walk *w, int take_fd)
{
    close(w->at);
    w->at = take_fd;
    return take_fd >= 0;
}

static bool follow_link(struct walk *w, const char *part)
{
    char text[PATH_MAX];
    ssize_t n = readlinkat(w->at, part, text, sizeof(text) - 1);
    if (n <= 0 || ++w->links > LINKS_MAX)
        return false;
    text[n] = '\0';
    char *rest = xasprintf("%s/%s", text, w->rest);
    free(w->rest);
    w->rest = rest;
    return text[0] != '/' || go_to(w, open("/", WALK));
}

static bool walk_on(struct walk *w)
{
    for (bool sticky, last = false; is_roots_dir(w, &sticky);) {
        struct stat st;
        own_text part = next_part(w, &last);
        if (!*part)
            return !sticky;
        if (fstatat(w->at, part, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return errno == ENOENT && !sticky;
        if (sticky && st.st_uid != 0)
            return false;
        if (S_ISLNK(st.st_mode)) {
            if (!follow_link(w, part))
                return false;
        } else if (!S_ISDIR(st.st_mode)) {
            return !sticky;
        } else if (!go_to(w, openat(w->at, part, WALK | O_NOFOLLOW))) {
            return false;
        }
    }
    return false;
}

static bool walk(const char *path, const char *home_logs, struct stat *changer)
{
    size_t n = home_logs ? strlen(home_logs) : 0;
    bool at_home = n && strncmp(path, home_logs, n) == 0 && path[n] == '/';
    struct walk w = { .at = open(at_home ? home_logs : "/", WALK),
                      .rest = xstrdup(at_home ? path + n : path) };
    bool roots = path[0] == '/' && w.at >= 0 && walk_on(&w);
    fd_done(&w.at);
    free(w.rest);
    *changer = w.changer;
    return roots;
}

bool place_is_roots(const struct rights *r, const char *path)
{
    struct stat unused;
    return walk(path, r->home_logs, &unused);
}

struct rights *rights_of_path(const char *path, const char *home_logs)
{
    struct stat changer;
    if (geteuid() != 0 || walk(path, home_logs, &changer) || changer.st_uid == 0)
        return NULL;
    return rights_new(&(struct os_fsid){ .uid = changer.st_uid, .gid = changer.st_gid }, home_logs);
}

/* Places. */

int place_begin(struct place *p, const struct rights *r, const char *path)
{
    struct err e;
    *p = (struct place){ .dir = AT_FDCWD, .name = path };
    if (!r || (depth == 0 && place_is_roots(r, path)))
        return 0;
    if (depth == 0 && os_fsid_enter(&r->as, &e) < 0) {
        errno = e.sys ? e.sys : EPERM;
        return -1;
    }
    depth++;
    p->entered = true;
    return 0;
}

int place_find(struct place *p, const char *file, bool make)
{
    struct err e;
    p->name = file;
    if (!p->entered)
        return 0;
    own_text dir = path_dir(file);
    p->name = path_base(file);
    p->open_flags = O_NOFOLLOW;
    p->dir = os_fsid_open_dir(dir);
    if (p->dir < 0 && errno == ENOENT && make && path_make_dirs(dir, 0700, &e) == 0)
        p->dir = os_fsid_open_dir(dir);
    return p->dir < 0 ? -1 : 0;
}

bool place_is_entered(void)
{
    return depth > 0;
}

int place_enter(struct place *p, const struct rights *r, const char *path, const char *file)
{
    if (place_begin(p, r, path) < 0)
        return -1;
    if (place_find(p, file, false) == 0)
        return 0;
    place_end(p);
    return -1;
}

void place_end(struct place *p)
{
    int saved = errno;
    if (p->entered && p->dir >= 0)
        close(p->dir);
    if (p->entered && --depth == 0)
        os_fsid_leave();
    p->entered = false;
    errno = saved;
}
