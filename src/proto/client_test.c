#include "proto/client.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unit.h"
#include "proto/launch.h"

TEST(home)
{
    static const struct {
        const char *velos_home, *home, *want;
    } rows[] = {
        { "/srv/v", "/home/me", "/srv/v" },     { "/srv/v/", "/home/me", "/srv/v" },
        { "/a/./b//../c", NULL, "/a/c" },       { "v", "/home/me", "/usr/v" },
        { "../v", "/home/me", "/v" },           { NULL, "/home/me", "/home/me/.velos" },
        { "", "/home/me/", "/home/me/.velos" },
    };
    check_int(chdir("/usr"), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        rows[i].velos_home ? setenv("VELOS_HOME", rows[i].velos_home, 1) : unsetenv("VELOS_HOME");
        rows[i].home ? setenv("HOME", rows[i].home, 1) : unsetenv("HOME");
        own_text got = client_home();
        check_text(got, rows[i].want);
    }
}

TEST(without_home_the_user_database_is_asked)
{
    unsetenv("VELOS_HOME");
    unsetenv("HOME");
    own_text got = client_home();
    check(got[0] == '/');
    check(text_ends(got, "/.velos"));
}

TEST(a_home_is_made_for_its_owner_alone)
{
    char dir[] = "/tmp/velos-home-XXXXXX";
    check(mkdtemp(dir));
    own_text home = xasprintf("%s/a/b", dir);
    own_text file = xasprintf("%s/file", dir);
    struct err e;
    struct stat st;
    mode_t was = umask(0);
    check_int(launch_prepare_home(home, &e), 0);
    umask(was);
    check_int(stat(home, &st), 0);
    check_int(st.st_mode & 0777, 0700);
    check_int(launch_prepare_home(home, &e), 0); /* again: nothing to do */

    FILE *f = fopen(file, "w");
    check(f && fclose(f) == 0);
    check_int(launch_prepare_home(file, &e), -1);
    check_contains(e.text, "not a folder");
    check(e.hint[0]);

    own_text command = xasprintf("rm -rf %s", dir);
    check_int(system(command), 0);
}

TEST(no_daemon)
{
    struct client_options o = { .home = "/nonexistent/velos", .start = CLIENT_NEVER_START };
    struct client *c = NULL;
    struct err e;
    check_int(client_open(&o, &c, &e), -1);
    check_int(e.code, ERR_UNREACHABLE);
    check_text(e.text, "no daemon is running on /nonexistent/velos");
    check(!c);
}

UNIT_MAIN()
