/* clone(2) as vfork(2) does it, but on a stack of its own: the child borrows our memory until exec, so it
 * tells of a failure by writing to it, and a spawn costs the same however large we are. It borrows our table
 * of descriptors too: to copy some thousands of them, and to close them again at exec, would cost more than
 * all the rest. What it needs is put into low places beforehand; close_range(2) then gives it a table of its
 * own with nothing but those (CLOSE_RANGE_UNSHARE, Linux 5.9). The kernel writes its pid before it runs
 * (CLONE_PARENT_SETTID).
 *
 * What that demands: all signals are blocked around it (a handler would run on our memory in the child), and
 * only async-signal-safe calls are made. Identities are changed by raw system calls: glibc's setuid() would
 * change the threads it believes to be its own, which are ours. */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where what a child gets is put: low numbers, above those it gets it as. In between spawns they hold
 * /dev/null, so that nothing else lands there. */
enum { PLACE_IN, PLACE_OUT, PLACE_ERR, PLACE_CHANNEL, PLACES, LOWEST_PLACE = 4 };
static int places[PLACES], null_fd = -1;

struct birth {
    const struct os_spawn *spawn;
    const sigset_t *changed_signals;
    bool shares_fds;
    volatile int error;
    volatile enum os_spawn_step step;
};

/* Signals that are not at their default in this process: looked up once, at the first spawn, when all
 * handlers are in place; 64 calls for each child would cost more than the fork. */
static const sigset_t *changed_signals(void)
{
    static sigset_t changed;
    static bool known;
    struct sigaction now;
    if (known)
        return &changed;
    sigemptyset(&changed);
    for (int sig = 1; sig < NSIG; sig++)
        if (sigaction(sig, NULL, &now) == 0 && now.sa_handler != SIG_DFL)
            sigaddset(&changed, sig);
    known = true;
    return &changed;
}

static void default_signals(const sigset_t *changed)
{
    struct sigaction dfl = { .sa_handler = SIG_DFL };
    for (int sig = 1; sig < NSIG; sig++)
        if (sigismember(changed, sig))
            sigaction(sig, &dfl, NULL);
}

static int set_user(const struct os_spawn *s)
{
    if (!s->has_user)
        return 0;
    if (syscall(SYS_setgroups, s->n_groups, s->groups) < 0 ||
        syscall(SYS_setresgid, s->gid, s->gid, s->gid) < 0)
        return -1;
    return (int)syscall(SYS_setresuid, s->uid, s->uid, s->uid);
}

/* The descriptors as the app is to find them: 0, 1, 2, perhaps 3, and none beside. */
static int arrange_fds(const struct birth *b)
{
    bool channel = b->spawn->channel >= 0;
    if (b->shares_fds && close_range((unsigned)places[PLACES - 1] + 1, ~0U, CLOSE_RANGE_UNSHARE) < 0)
        return -1;
    if (dup2(places[PLACE_IN], 0) < 0 || dup2(places[PLACE_OUT], 1) < 0 || dup2(places[PLACE_ERR], 2) < 0 ||
        (channel && dup2(places[PLACE_CHANNEL], 3) < 0))
        return -1;
    close_range(channel ? 4 : 3, ~0U,
                CLOSE_RANGE_CLOEXEC); /* older than 5.11: ours are close-on-exec anyway */
    return 0;
}

static void limit_fds(rlim_t most)
{
    struct rlimit r;
    if (most && getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = most;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static int child(void *arg)
{
    static const sigset_t none;
    struct birth *b = arg;
    const struct os_spawn *s = b->spawn;
    b->step = SPAWN_FORK;
    if (arrange_fds(b) < 0)
        goto failed;
    setsid();
    default_signals(b->changed_signals);
    umask(s->umask);
    limit_fds((rlim_t)s->nofile);
    b->step = SPAWN_USER;
    if (set_user(s) < 0)
        goto failed;
    b->step = SPAWN_CHDIR;
    if (chdir(s->cwd) < 0)
        goto failed;
    b->step = SPAWN_EXEC;
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(s->exec, s->argv, s->envp);
failed:
    b->error = errno;
    _exit(127);
}

/* Puts fd, or /dev/null, into a place. */
static int place(int fd, int at)
{
    return dup3(fd >= 0 ? fd : null_fd, places[at], O_CLOEXEC);
}

int os_spawn_init(void)
{
    own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd >= 0)
        return 0;
    for (int i = 0; i < PLACES; i++) {
        places[i] = fcntl(null, F_DUPFD_CLOEXEC, LOWEST_PLACE);
        if (places[i] < 0)
            return -1;
    }
    null_fd = fcntl(null, F_DUPFD_CLOEXEC, LOWEST_PLACE);
    return null_fd < 0 ? -1 : 0;
}

/* valgrind knows fork and vfork, and no clone that shares descriptors. */
static bool may_share_fds(void)
{
    static int answer = -1;
    if (answer < 0) {
        const char *preloaded = getenv("LD_PRELOAD");
        answer = close_range(~0U, ~0U, 0) == 0 && !(preloaded && strstr(preloaded, "vgpreload"));
    }
    return answer;
}

static pid_t bear(struct birth *b)
{
    static _Alignas(
        64) char stack[64 << 10]; /* one child at a time uses it; what is not touched is not there */
    int flags = CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD | (b->shares_fds ? CLONE_FILES : 0);
    sigset_t all, was;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    pid_t pid = clone(child, stack + sizeof(stack), flags, b, b->spawn->born);
    int why = errno;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    errno = why;
    return pid;
}

pid_t os_spawn(const struct os_spawn *s, enum os_spawn_step *step)
{
    struct birth b = { .spawn = s, .changed_signals = changed_signals(), .shares_fds = may_share_fds() };
    *step = SPAWN_FORK;
    if ((null_fd < 0 && os_spawn_init() < 0) || place(s->in, PLACE_IN) < 0 || place(s->out, PLACE_OUT) < 0 ||
        place(s->err, PLACE_ERR) < 0 || place(s->channel, PLACE_CHANNEL) < 0)
        return -1;
    pid_t pid = bear(&b);
    int why = errno;
    for (int at = 0; at < PLACES; at++)
        place(-1, at);
    errno = why;
    if (pid < 0)
        return -1;
    if (!b.error) {
        *step = SPAWN_OK;
        return pid;
    }
    *s->born = 0;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *step = b.step;
    errno = b.error;
    return -1;
}
