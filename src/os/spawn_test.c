#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/time.h"
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

/* A process that keeps others from opening a file: execve(2) waits for its lease (fcntl(2)). */
static pid_t hold_lease(const char *path)
{
    int ready[2];
    char c;
    check_int(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGIO, SIG_IGN); /* "somebody wants it" */
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK) < 0 || write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    check_int(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    check_int(waitpid(pid, NULL, 0), pid);
}

static void await_report(const struct os_birth *b, enum os_spawn_step want, int why)
{
    struct pollfd p = { .fd = b->report, .events = POLLIN };
    enum os_spawn_step step;
    int error;
    check_int(poll(&p, 1, 20000), 1);
    check_int(os_spawn_read(b->report, &step, &error), 1);
    check_int(step, want);
    check_int(error, why);
    close(b->report);
}

/* The child cannot come to its exec: nobody waits for it, its report says how that ended, and those after it
 * are not waited for either. */
static void check_unwaited(const char *program, bool is_program)
{
    own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct os_birth b[2] = { 0 };
    int32_t born[2] = { 0 };
    enum os_spawn_step step;
    int error;
    pid_t holder = hold_lease(program);
    for (int i = 0; i < 2; i++) {
        b[i].how = sleeper(null, &born[i]);
        b[i].how.exec = i == 0 ? program : "/bin/sleep";
    }
    int64_t before = time_mono_ms();
    os_spawn(b, 2);
    check(time_mono_ms() - before < 5000); /* a lease is broken after 45 s (/proc/sys/fs/lease-break-time) */
    check(b[0].pid > 0);
    check_int(born[0], b[0].pid);
    check(b[0].report >= 0);
    check_int(os_spawn_read(b[0].report, &step, &error), 0);
    check(b[1].pid > 0);
    if (b[1].report >= 0)
        await_report(&b[1], SPAWN_OK, 0);
    end_child(holder);
    await_report(&b[0], is_program ? SPAWN_OK : SPAWN_EXEC, is_program ? 0 : ENOEXEC);
    end_child(b[0].pid);
    end_child(b[1].pid);
    while (waitpid(-1, NULL, 0) > 0) { /* the first child on our memory, if there was one */
    }
}

TEST(a_child_that_does_not_come_to_its_exec_is_not_waited_for)
{
    char dir[] = "/tmp/velos-spawn-XXXXXX";
    check(mkdtemp(dir) != NULL);
    for (int is_program = 0; is_program < 2; is_program++) {
        own_text path = path_join(dir, "program");
        own_text make = xasprintf(is_program ? "cp /bin/sleep %s" : "echo no program >%s", path);
        check_int(system(make), 0);
        check_int(chmod(path, 0755), 0);
        check_unwaited(path, is_program);
        unlink(path);
    }
    rmdir(dir);
}

/* As often as it can: SIGSTOP to all processes of its user. */
static pid_t start_stopper(uid_t uid)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(uid) < 0 || setuid(uid) < 0)
            _exit(1);
        for (;;)
            kill(-1, SIGSTOP);
    }
    return pid;
}

TEST(nor_is_one_that_its_user_stops)
{
    static const gid_t groups[] = { 54398 };
    own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (geteuid() != 0)
        return; /* nobody else's processes can be made */
    pid_t stopper = start_stopper(54398);
    int64_t before = time_mono_ms();
    int stopped = 0;
    for (int i = 0; i < 300 && stopped < 2; i++) {
        int32_t born = 0;
        struct os_birth b = { .how = sleeper(null, &born) };
        b.how.has_user = true;
        b.how.uid = b.how.gid = 54398;
        b.how.groups = groups;
        b.how.n_groups = 1;
        os_spawn(&b, 1);
        check(b.pid > 0);
        stopped += b.report >= 0;
        fd_done(&b.report);
        end_child(b.pid);
    }
    check(time_mono_ms() - before < 60000);
    end_child(stopper);
    while (waitpid(-1, NULL, 0) > 0) {
    }
}

UNIT_MAIN()
