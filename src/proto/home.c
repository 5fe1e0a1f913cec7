#include "proto/home.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "os/account.h"
#include "os/peer.h"
#include "proto/proto.h"

enum { LINKS_MAX = 40 }; /* as path_resolution(7) has it */

/* "ada (1000)", or the number where there is no such account. */
static char *user_text(uid_t uid)
{
    struct account a = { 0 };
    if (account_of(uid, &a) < 0)
        return xasprintf("user %u", (unsigned)uid);
    char *text = xasprintf("%s (user %u)", a.name, (unsigned)uid);
    account_done(&a);
    return text;
}

/* An owner from outside our user namespace shows as this number: nobody in here is that user. */
static bool is_outside(uid_t uid)
{
    enum { OVERFLOW_UID = 65534 }; /* /proc/sys/kernel/overflowuid */
    unsigned long first, beneath, count;
    if (uid != OVERFLOW_UID)
        return false;
    FILE *map = fopen("/proc/self/uid_map", "re");
    bool mapped = !map || fscanf(map, "%lu %lu %lu", &first, &beneath, &count) != 3 || count > OVERFLOW_UID;
    if (map)
        fclose(map);
    return !mapped;
}

static int foreign(const char *home, const char *what, uid_t owner, struct err *e)
{
    own_text user = user_text(owner);
    own_text us = user_text(geteuid());
    err_set(e, ERR_DENIED, "home %s: %s%sbelongs to %s, not to %s", home, what, *what ? " " : "", user, us);
    return err_hint(e, "sudo -u '#%u' velos ... acts as that user; VELOS_HOME names another home",
                    (unsigned)owner);
}

static int writable(const char *home, const char *path, struct err *e)
{
    err_set(e, ERR_DENIED, "home %s: others can change %s", home, path);
    return err_hint(e, "chmod go-w %s, or name another home in VELOS_HOME", path);
}

/* Write permission of a group counts for nothing where the group is the user's own (Debian's accounts) or
 * root's. */
static bool others_may_write(const struct stat *st)
{
    if (st->st_mode & S_IWOTH)
        return true;
    bool own_group = st->st_gid == 0 || (st->st_gid == getegid() && (uid_t)st->st_gid == geteuid());
    return (st->st_mode & S_IWGRP) && !own_group;
}

static int check_directory(const char *home, const char *path, const struct stat *st, bool last,
                           struct err *e)
{
    if (!S_ISDIR(st->st_mode)) {
        err_set(e, ERR_FAILED, "home %s: %s%snot a directory", home, last ? "" : path, last ? "" : ": ");
        return err_hint(e, "move it away, or name another home in VELOS_HOME");
    }
    bool trusted = st->st_uid == geteuid() || (st->st_uid == 0 && !last) || (!last && is_outside(st->st_uid));
    if (!trusted)
        return foreign(home, last ? "" : path, st->st_uid, e);
    if (others_may_write(st) && (last || !(st->st_mode & S_ISVTX)))
        return writable(home, path, e);
    return 0;
}

/* Puts what a link says in its place. */
static int follow(const char *link, char **at, char **rest, struct err *e)
{
    char target[PATH_MAX];
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    if (n < 0)
        return err_sys(e, "%s", link);
    target[n] = '\0';
    char *joined = xasprintf("%s/%s", target, *rest);
    free(*rest);
    *rest = joined;
    if (target[0] == '/') {
        free(*at);
        *at = xstrdup("/");
    }
    return 0;
}

/* Every directory from the root on, in the order in which the kernel takes them. 1: all are there; 0: not the
 * last ones. */
static int check_way(const char *home, struct err *e)
{
    own_text at = xstrdup("/");
    own_text rest = xstrdup(home);
    struct stat st;
    if (stat("/", &st) < 0)
        return err_sys(e, "/");
    if (check_directory(home, "/", &st, false, e) < 0)
        return -1;
    for (int links = 0;;) {
        const char *p = rest + strspn(rest, "/");
        size_t n = strcspn(p, "/");
        if (n == 0)
            return 1;
        own_text name = xstrndup(p, n);
        own_text path = strcmp(name, "..") == 0  ? path_dir(at)
                        : strcmp(name, ".") == 0 ? xstrdup(at)
                                                 : path_join(at, name);
        char *left = xstrdup(p + n);
        free(rest);
        rest = left;
        if (lstat(path, &st) < 0)
            return errno == ENOENT ? 0 : err_sys(e, "home %s: %s", home, path);
        if (S_ISLNK(st.st_mode)) {
            if (++links > LINKS_MAX) {
                errno = ELOOP;
                return err_sys(e, "home %s", home);
            }
            if (follow(path, &at, &rest, e) < 0)
                return -1;
            continue;
        }
        bool last = rest[strspn(rest, "/")] == '\0';
        if (check_directory(home, path, &st, last, e) < 0)
            return -1;
        free(at);
        at = steal(path);
    }
}

int home_check(const char *home, struct err *e)
{
    static const char *const kept[] = { PROTO_SOCKET,  PROTO_LOCK,   PROTO_LOG,     "logs",
                                        "config.toml", "state.json", "state.json.1" };
    int r = check_way(home, e);
    for (size_t i = 0; r > 0 && i < ARRAY_LEN(kept); i++) {
        struct stat st;
        own_text path = path_join(home, kept[i]);
        if (lstat(path, &st) < 0)
            continue; /* not there, or whoever opens it says why */
        if (st.st_uid != geteuid() && st.st_uid != 0)
            return foreign(home, kept[i], st.st_uid, e);
        bool counts = !S_ISLNK(st.st_mode) && !S_ISSOCK(st.st_mode); /* velosd asks who connects */
        if (counts && others_may_write(&st))
            return writable(home, path, e);
    }
    return r < 0 ? -1 : 0;
}

int home_check_peer(const char *home, int fd, struct err *e)
{
    uid_t uid;
    if (os_peer_uid(fd, &uid) < 0)
        return err_sys(e, "home %s: ask which user the daemon runs as", home);
    if (uid == geteuid())
        return 0;
    own_text user = user_text(uid);
    err_set(e, ERR_DENIED, "home %s: the daemon there runs as %s, not as you", home, user);
    return err_hint(e, "name a home of your own in VELOS_HOME");
}
