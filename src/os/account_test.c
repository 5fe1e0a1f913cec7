#include "os/account.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"

static char dir[] = "/tmp/velos-account-XXXXXX";

static void remove_getent(void)
{
    own_text program = path_join(dir, "getent");
    unlink(program);
    rmdir(dir);
}

/* What NSS would know and /etc/passwd does not: a getent of ours, before the system's. */
static void with_getent(const char *body)
{
    static bool made;
    if (!made) {
        check(mkdtemp(dir));
        atexit(remove_getent);
    }
    made = true;
    own_text program = path_join(dir, "getent");
    own_text path = xasprintf("%s:%s", dir, getenv("PATH"));
    FILE *f = fopen(program, "w");
    check(f && fprintf(f, "#!/bin/sh\n%s\n", body) > 0 && fclose(f) == 0);
    check_int(chmod(program, 0755), 0);
    setenv("PATH", path, 1);
}

TEST(of_the_system)
{
    struct account a = { 0 };
    check_int(account_named("root", &a), 0);
    check_int(a.uid, 0);
    check_text(a.name, "root");
    check_text(a.dir, "/root");
    account_done(&a);
    check(!a.name);
    check_int(account_of(0, &a), 0);
    check_text(a.name, "root");
    account_done(&a);
    check_int(account_named("nobody-has-this-name", &a), -1);
    check_int(account_named("", &a), -1);
    check_int(account_named("--help", &a), -1);
    check_int(account_named("0", &a), -1); /* a number is no name */
    check_int(account_of(987654321, &a), -1);
}

TEST(of_another_database)
{
    struct account a = { 0 };
    with_getent(
        "[ \"$1\" = passwd ] && case $2 in ada|4711) echo 'ada:x:4711:815:Ada:/net/ada:/bin/sh' ;; esac");
    check_int(account_named("ada", &a), 0);
    check_int(a.uid, 4711);
    check_int(a.gid, 815);
    check_text(a.dir, "/net/ada");
    account_done(&a);
    check_int(account_of(4711, &a), 0);
    check_text(a.name, "ada");
    account_done(&a);
    check_int(account_named("4711", &a), -1);
    with_getent("echo ada; echo ada:x:y:z; head -c 100000 /dev/zero");
    check_int(account_named("ada", &a), -1);
    with_getent("exit 2");
    check_int(account_named("ada", &a), -1);
}

static int groups_of_child(const struct account *a)
{
    pid_t pid = fork();
    if (pid == 0) {
        gid_t got[8];
        if (account_become(a) < 0)
            _exit(1);
        int n = getgroups(8, got);
        bool right = n == 3 && got[0] == 27 && got[1] == 100 && got[2] == 815;
        _exit(right && getuid() == 4711 && geteuid() == 4711 && getegid() == 815 ? 0 : 2);
    }
    int status = -1;
    check_int(waitpid(pid, &status, 0), pid);
    return status;
}

TEST(becomes_whole)
{
    struct account ada = { .name = "ada", .uid = 4711, .gid = 815 };
    if (geteuid() != 0)
        skip();
    with_getent("[ \"$1 $2\" = 'initgroups ada' ] && echo 'ada   27 100'");
    check_int(groups_of_child(&ada), 0);
}

UNIT_MAIN()
