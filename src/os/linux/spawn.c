/* vfork(2): the child borrows our memory until exec, so it tells of a failure by writing to it, and a spawn
 * costs the same however large we are. What that demands: the function is never inlined (a caller's
 * temporaries would share its frame), all signals are blocked around it (a handler would run on our memory
 * in the child), and only async-signal-safe calls are made. Identities are changed by raw system calls:
 * glibc's setuid() would change the threads it believes to be its own, which are ours. */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct failure {
    const sigset_t *changed_signals;
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

/* The target may be one of 0, 1, 2 already taken by another source; ours are all above 2. */
static int place(int fd, int target)
{
    return fd < 0 ? 0 : dup2(fd, target);
}

static int tell_keeper(const struct os_spawn *s)
{
    if (s->keeper_fd < 0)
        return 0;
    *s->born_pid = (int32_t)getpid();
    return send(s->keeper_fd, s->born, s->born_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static no_return void child(const struct os_spawn *s, struct failure *f)
{
    static const sigset_t none;
    f->step = SPAWN_KEEPER;
    if (tell_keeper(s) < 0)
        goto failed;
    setsid();
    default_signals(f->changed_signals);
    umask(s->umask);
    if (s->nofile) {
        struct rlimit r;
        if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
            r.rlim_cur = (rlim_t)s->nofile;
            setrlimit(RLIMIT_NOFILE, &r);
        }
    }

    f->step = SPAWN_FORK;
    int in = s->in < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : s->in;
    if (in < 0 || place(in, 0) < 0 || place(s->out, 1) < 0 || place(s->err, 2) < 0)
        goto failed;
    if (s->channel >= 0 && (s->channel == 3 ? fcntl(3, F_SETFD, 0) : dup2(s->channel, 3)) < 0)
        goto failed;
    close_range(s->channel >= 0 ? 4 : 3, ~0U,
                CLOSE_RANGE_CLOEXEC); /* older than 5.11: ours are close-on-exec anyway */

    f->step = SPAWN_USER;
    if (set_user(s) < 0)
        goto failed;
    f->step = SPAWN_CHDIR;
    if (chdir(s->cwd) < 0)
        goto failed;
    f->step = SPAWN_EXEC;
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(s->exec, s->argv, s->envp);
failed:
    f->error = errno;
    _exit(127);
}

static __attribute__((noinline)) pid_t vfork_child(const struct os_spawn *s, struct failure *f)
{
    pid_t pid = vfork();
    if (pid == 0)
        child(s, f);
    return pid;
}

pid_t os_spawn(const struct os_spawn *s, enum os_spawn_step *step)
{
    struct failure f = { .changed_signals = changed_signals() };
    sigset_t all, was;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    pid_t pid = vfork_child(s, &f);
    int fork_error = errno;
    pthread_sigmask(SIG_SETMASK, &was, NULL);

    if (pid < 0) {
        *step = SPAWN_FORK;
        errno = fork_error;
        return -1;
    }
    if (f.error) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
        *step = f.step;
        errno = f.error;
        return -1;
    }
    *step = SPAWN_OK;
    return pid;
}
