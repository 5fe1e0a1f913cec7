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

static _Thread_local bool entered;

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
    char *text; /* ... without links */
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

static bool go_to(struct walk *w, int take_fd, const char *part)
{
    if (take_fd < 0)
        return false;
    char *text = path_absolute(w->text, part);
    free(w->text);
    w->text = text;
    close(w->at);
    w->at = take_fd;
    return true;
}

static bool follow_link(struct walk *w, const char *part)
{
    char text[PATH_MAX];
    ssize_t n = readlinkat(w->at, part, text, sizeof(text) - 1);
    if (n <= 0 || ++w->links > LINKS_MAX)
        return false;
    text[n] = '\0';
    char *rest = xasprintf("%s%s%s", text, *w->rest ? "/" : "", w->rest);
    free(w->rest);
    w->rest = rest;
    return text[0] != '/' || go_to(w, open("/", WALK), "/");
}

/* False: `text` and `rest` say where the part begins that others can change. */
static bool walk_on(struct walk *w)
{
    for (bool sticky; is_roots_dir(w, &sticky);) {
        struct stat st;
        const char *from = w->rest + strspn(w->rest, "/");
        size_t n = strcspn(from, "/");
        own_text part = xstrndup(from, n);
        own_text behind = xstrdup(from + n);
        if (n == 0)
            return !sticky;
        if (fstatat(w->at, part, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return errno == ENOENT && !sticky;
        if (sticky && st.st_uid != 0)
            return false;
        if (!S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode))
            return !sticky;
        free(w->rest);
        w->rest = steal(behind);
        if (S_ISLNK(st.st_mode) ? !follow_link(w, part)
                                : !go_to(w, openat(w->at, part, WALK | O_NOFOLLOW), part))
            return false;
    }
    return false;
}

/* *left: the same path, of which root's part has no links. */
static bool walk(const char *path, const char *home_logs, struct stat *changer, char **left)
{
    size_t n = home_logs ? strlen(home_logs) : 0;
    bool at_home = n && strncmp(path, home_logs, n) == 0 && path[n] == '/';
    const char *from = at_home ? home_logs : "/";
    struct walk w = { .at = open(from, WALK),
                      .text = xstrdup(from),
                      .rest = xstrdup(at_home ? path + n : path) };
    bool to_be_made = at_home && w.at < 0 && errno == ENOENT && !strstr(path + n, "/../"); /* by us */
    bool roots = to_be_made || (path[0] == '/' && w.at >= 0 && walk_on(&w));
    *left = xasprintf("%s/%s", strcmp(w.text, "/") == 0 ? "" : w.text, w.rest + strspn(w.rest, "/"));
    *changer = w.changer;
    fd_done(&w.at);
    free(w.text);
    free(w.rest);
    return roots;
}

bool place_is_roots(const struct rights *r, const char *path)
{
    struct stat unused;
    own_text left = NULL;
    return walk(path, r->home_logs, &unused, &left);
}

struct rights *rights_of_path(const char *path, const char *home_logs)
{
    struct stat changer;
    own_text left = NULL;
    if (geteuid() != 0 || walk(path, home_logs, &changer, &left) || changer.st_uid == 0)
        return NULL;
    return rights_new(&(struct os_fsid){ .uid = changer.st_uid, .gid = changer.st_gid }, home_logs);
}

/* Places. */

int place_begin(struct place *p, const struct rights *r, const char *path)
{
    struct err e;
    struct stat unused;
    own_text left = NULL;
    *p = (struct place){ .dir = AT_FDCWD, .name = path };
    if (!r || walk(path, r->home_logs, &unused, &left))
        return 0;
    if (os_fsid_enter(&r->as, &e) < 0) {
        errno = e.sys ? e.sys : EPERM;
        return -1;
    }
    entered = p->entered = true;
    p->name = p->text = steal(left);
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
    return entered;
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
    if (!p->entered)
        return;
    if (p->dir >= 0)
        close(p->dir);
    os_fsid_leave();
    entered = p->entered = false;
    text_free(&p->text);
    errno = saved;
}
