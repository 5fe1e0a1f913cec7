#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unit.h"
#include "os/procstat.h"

enum { MANY = 40 };

static struct os_spawn sleeper(int null, int32_t *born)
{
    static char *const argv[] = { "sleep", "100", NULL }, *const envp[] = { "A=1", NULL };
    return (struct os_spawn){
        .exec = "/bin/sleep",
        .argv = argv,
        .envp = envp,
        .cwd = "/",
        .in = null,
        .out = null,
        .err = null,
        .channel = -1,
        .umask = 022,
        .born = born,
    };
}

/* Each is told of its own: pid, start, or what went wrong. */
static void check_births(int null, size_t n)
{
    struct os_birth births[MANY] = { 0 };
    int32_t born[MANY] = { 0 };
    for (size_t i = 0; i < n; i++) {
        births[i].how = sleeper(null, &born[i]);
        if (i % 4 == 1)
            births[i].how.exec = "/nonexistent";
        if (i % 4 == 2)
            births[i].how.cwd = "/nonexistent";
    }
    os_spawn(births, n);
    for (size_t i = 0; i < n; i++) {
        struct proc_info now;
        if (i % 4 == 1 || i % 4 == 2) {
            check_int(births[i].pid, -1);
            check_int(births[i].error, ENOENT);
            check_int(births[i].step, i % 4 == 1 ? SPAWN_EXEC : SPAWN_CHDIR);
            check_int(born[i], 0);
            continue;
        }
        check(births[i].pid > 0);
        check_int(born[i], births[i].pid);
        check(procstat_read(births[i].pid, &now));
        check_int(births[i].start, now.start);
        check_int(now.ppid, getpid());
        check_int(now.session, births[i].pid);
        kill(births[i].pid, SIGKILL);
        check_int(waitpid(births[i].pid, NULL, 0), births[i].pid);
    }
    check_int(waitpid(-1, NULL, WNOHANG), -1); /* the failed ones are reaped already */
}

TEST(one_or_many_at_once)
{
    own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    check_int(os_spawn_init(), 0);
    for (int round = 0; round < 20; round++) {
        check_births(null, 1);
        check_births(null, 2);
        check_births(null, OS_BIRTHS);
        if (round % 3 == 0)
            os_spawn_rest();
    }
    check_births(null, MANY);
    os_spawn_rest();
}

TEST(nobody_keeps_what_a_child_was_given)
{
    int pair[2];
    char c;
    int32_t born = 0;
    own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    check_int(pipe2(pair, O_CLOEXEC), 0);
    struct os_birth b = { .how = sleeper(null, &born) };
    b.how.out = pair[1];
    os_spawn(&b, 1);
    check(b.pid > 0);
    os_spawn_rest();
    close(pair[1]);
    kill(b.pid, SIGKILL);
    check_int(waitpid(b.pid, NULL, 0), b.pid);
    check_int(read(pair[0], &c, 1), 0); /* its end: else this waits for ever */
    close(pair[0]);
}

UNIT_MAIN()
