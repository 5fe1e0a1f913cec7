#include "logs/place.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"

enum { USER = 54321 };

static const struct {
    const char *path; /* in a directory of root */
    bool roots;
} rows[] = {
    { "roots/x.log", true }, /* missing is as good: only root can make it */
    { "roots/file", true },
    { "roots/none/deep/x.log", true },
    { "roots/../roots/./file", true },
    { "users/x.log", false },
    { "users/none/x.log", false },
    { "users/../roots/file", false }, /* the user can move users/ elsewhere, and `..` with it */
    { "grouped/x.log", false },
    { "sticky/x.log", false },      /* anybody can make it */
    { "sticky/roots/x.log", true }, /* root's directory cannot be moved from there */
    { "sticky/users/x.log", false },
    { "sticky/link/x.log", false }, /* a link of the user */
    { "roots/to-roots", true },
    { "roots/to-users", false },
    { "roots/dir-to-roots/x.log", true },
    { "roots/dir-to-users/x.log", false },
    { "roots/relative", true },
    { "roots/loop", false },
    { "roots/users-file", true }, /* owned by the user, and its name is root's */
};

static char *make(char *dir)
{
    check(mkdtemp(dir));
    check_int(chmod(dir, 0755), 0);
    own_text command = xasprintf(
        "cd %s && umask 022 && mkdir roots users grouped sticky sticky/roots sticky/users && : >roots/file "
        "&& "
        ": >roots/users-file && chown %d roots/users-file users sticky/users && chmod 775 grouped && "
        "chmod 1777 sticky && ln -s ../roots sticky/link && chown -h %d sticky/link && "
        "ln -s %s/roots/file roots/to-roots && ln -s ../users/x.log roots/to-users && "
        "ln -s ../roots roots/dir-to-roots && ln -s %s/users roots/dir-to-users && "
        "ln -s ../sticky/roots/../../roots/file roots/relative && ln -s loop roots/loop",
        dir, USER, USER, dir, dir);
    check_int(system(command), 0);
    return dir;
}

static void unmake(const char *dir)
{
    own_text command = xasprintf("rm -rf %s", dir);
    check_int(system(command), 0);
}

static const struct os_fsid user = { .uid = USER, .gid = USER };

TEST(what_only_root_can_change)
{
    char template[] = "/tmp/velos-place-XXXXXX";
    if (geteuid() != 0)
        skip();
    char *dir = make(template);
    own_rights r = rights_new(&user, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        own_text path = path_join(dir, rows[i].path);
        check_row(i);
        check_int(place_is_roots(r, path), rows[i].roots);
    }
    check(!place_is_roots(r, "relative.log"));
    unmake(dir);
}

/* Also where what leads to it is not. */
TEST(home_is_trusted)
{
    char template[] = "/tmp/velos-place-XXXXXX";
    if (geteuid() != 0)
        skip();
    char *dir = make(template);
    own_text home = xasprintf("%s/users/logs", dir);
    own_text log = path_join(home, "a.log");
    own_text beside = xasprintf("%s/../a.log", home);
    own_rights r = rights_new(&user, home);
    check(place_is_roots(r, log)); /* to be made */
    check(!place_is_roots(r, beside));
    check_int(mkdir(home, 0700), 0);
    check(place_is_roots(r, log));
    check(!place_is_roots(r, beside));
    check_int(chown(home, USER, USER), 0);
    check(!place_is_roots(r, log));
    unmake(dir);
}

TEST(enters_where_the_user_begins)
{
    char template[] = "/tmp/velos-place-XXXXXX";
    struct place at;
    if (geteuid() != 0)
        skip();
    char *dir = make(template);
    own_rights r = rights_new(&user, NULL);
    own_text roots = path_join(dir, "roots/file");
    own_text linked = path_join(dir, "roots/dir-to-users/x.log");
    own_text left = path_join(dir, "users/x.log");
    check_int(chmod(dir, 0711), 0);
    check_int(place_begin(&at, r, roots), 0);
    check(!place_is_entered());
    check_text(at.name, roots);
    place_end(&at);
    own_text closed = path_join(dir, "roots");
    check_int(chmod(closed, 0700), 0); /* where the user could not pass */
    check_int(place_begin(&at, r, linked), 0);
    check(place_is_entered());
    check_text(at.name, left);
    check_int(place_find(&at, left, false), 0);
    check_text(at.name, "x.log");
    check_int(at.open_flags, O_NOFOLLOW);
    own_fd fd = openat(at.dir, at.name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | at.open_flags, 0600);
    place_end(&at);
    struct stat st;
    check(fd >= 0 && fstat(fd, &st) == 0);
    check_int(st.st_uid, USER);
    check(!place_is_entered());
    unmake(dir);
}

TEST(no_rights_are_ours)
{
    struct place at;
    check_int(place_enter(&at, NULL, "/tmp/none/x.log", "/tmp/none/x.log"), 0);
    check_int(at.dir, AT_FDCWD);
    check_int(at.open_flags, 0);
    place_end(&at);
}

UNIT_MAIN()
