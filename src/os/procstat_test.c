#include "os/procstat.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unit.h"
#include "os/fds.h"

static pid_t start_child(void)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

/* Uses up all descriptors below a limit; a second call gives them back. */
static void exhaust(bool on)
{
    static int taken[64];
    static struct rlimit was;
    static size_t n;
    if (on) {
        check_int(getrlimit(RLIMIT_NOFILE, &was), 0);
        struct rlimit few = { 48, was.rlim_max };
        check_int(setrlimit(RLIMIT_NOFILE, &few), 0);
        while (n < ARRAY_LEN(taken) && (taken[n] = dup(0)) >= 0)
            n++;
        check_int(errno, EMFILE);
        return;
    }
    while (n)
        close(taken[--n]);
    check_int(setrlimit(RLIMIT_NOFILE, &was), 0);
}

TEST(what_cannot_be_looked_at_is_not_dead)
{
    struct proc_info p;
    struct proc_info *all;
    size_t vanished;
    pid_t pid = start_child();
    check(procstat_read(pid, &p));
    uint64_t start = p.start;
    check_int(procstat_look(pid, start, &p), PROCSTAT_THERE);
    check_int(procstat_look(pid, 0, &p), PROCSTAT_THERE);
    check_int(procstat_look(pid, start + 1, &p), PROCSTAT_GONE);
    exhaust(true);
    check(!procstat_read(pid, &p));
    check_int(errno, EMFILE);
    check_int(procstat_look(pid, start, &p), PROCSTAT_UNKNOWN);
    check_int(procstat_all(&all, &vanished, NULL, NULL), -1);
    exhaust(false);
    kill(pid, SIGKILL);
    siginfo_t info;
    check_int(waitid(P_PID, (id_t)pid, &info, WNOWAIT | WEXITED), 0);
    check_int(procstat_look(pid, start, &p), PROCSTAT_THERE); /* a zombie is there still */
    check_int(waitpid(pid, NULL, 0), pid);
    check_int(procstat_look(pid, start, &p), PROCSTAT_GONE);
    check(!procstat_read(pid, &p));
    check_int(errno, ESRCH);
    exhaust(true); /* kill(2) needs no descriptor */
    check_int(procstat_look(pid, start, &p), PROCSTAT_GONE);
    exhaust(false);
}

TEST(how_many_are_open)
{
    long before = os_fds_open();
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = dup(0);
    check_int(os_fds_open(), before + 3);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    check_int(os_fds_open(), before);
}

UNIT_MAIN()
