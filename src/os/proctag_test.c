/* What a process passes on, and what it cannot do about it. */
#include "os/proctag.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unit.h"

enum { TAG = 4711, ANOTHER = 4710 };

/* What a child does with its tag, and what is then read of it. */
static void keep(void)
{
}

static void take_another(void)
{
    os_proctag_take(ANOTHER);
}

static void leave_session(void)
{
    setsid();
    prctl(PR_SET_DUMPABLE, 0);
}

/* As somebody who may not raise limits would. */
static void forge(void)
{
    struct rlimit locks, rttime;
    getrlimit(RLIMIT_LOCKS, &locks);
    getrlimit(RLIMIT_RTTIME, &rttime);
    locks.rlim_cur = locks.rlim_max = locks.rlim_max - (TAG - ANOTHER);
    rttime.rlim_cur = rttime.rlim_max = rttime.rlim_max + (TAG - ANOTHER);
    if (setresuid(54399, 54399, 54399) < 0 && geteuid() == 0)
        _exit(1);
    if (setrlimit(RLIMIT_LOCKS, &locks) < 0 || setrlimit(RLIMIT_RTTIME, &rttime) == 0)
        _exit(1);
}

static void lose(void)
{
    const struct rlimit low = { 5, 5 };
    setrlimit(RLIMIT_RTTIME, &low);
}

/* Within an app of velos the limits are set, and stay so. */
static bool is_tagged_already(void)
{
    struct rlimit now;
    return getrlimit(RLIMIT_LOCKS, &now) < 0 || now.rlim_max != RLIM_INFINITY;
}

TEST(descendants_have_it)
{
    if (is_tagged_already())
        skip();
    static const struct {
        void (*deed)(void);
        uint64_t tag;
    } rows[] = { { keep, TAG }, { take_another, TAG }, { leave_session, TAG }, { forge, 0 }, { lose, 0 } };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int ends[2];
        pid_t grandchild = 0;
        check_row(i);
        check_int(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
            os_proctag_take(TAG);
            if (fork() == 0) {
                rows[i].deed();
                grandchild = getpid();
                if (write(ends[1], &grandchild, sizeof(grandchild)) > 0)
                    pause();
                _exit(0);
            }
            close(ends[1]);
            wait(NULL);
            _exit(0);
        }
        close(ends[1]);
        check_int(read(ends[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
        uint64_t tag = os_proctag_read(grandchild);
        kill(grandchild, SIGKILL);
        waitpid(pid, NULL, 0);
        close(ends[0]);
        check_int(tag, rows[i].tag);
    }
}

TEST(other_limits_are_no_part_of_one)
{
    static const uint64_t others[] = { 0, 5, 1 << 20, INT64_MAX, RLIM_INFINITY, UINT64_C(1) << 60 };
    struct rlimit locks, rttime;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        check_row(i);
        check(!os_proctag_is_part(others[i]));
    }
    pid_t pid = fork();
    if (pid == 0) {
        os_proctag_take(TAG);
        getrlimit(RLIMIT_LOCKS, &locks);
        getrlimit(RLIMIT_RTTIME, &rttime);
        _exit(!os_proctag_is_part(locks.rlim_max) || !os_proctag_is_part(rttime.rlim_max));
    }
    int status;
    check_int(waitpid(pid, &status, 0), pid);
    check_int(status, 0);
}

TEST(most_have_none)
{
    if (is_tagged_already())
        skip();
    check_int(os_proctag_read(getpid()), 0);
    check_int(os_proctag_read(1), 0);
    check_int(os_proctag_read(1 << 30), 0);
}

UNIT_MAIN()
