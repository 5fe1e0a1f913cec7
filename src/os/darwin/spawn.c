/* Compiled in CI, not run there.
 *
 * fork(2) with a pipe that tells how exec went: posix_spawn(2) could make the session and place the
 * descriptors, but not the rest of what an app is promised before its first instruction (its pid in the
 * ledger, another user, umask, limits). In the child only async-signal-safe calls are made: other threads of
 * ours may have held a lock at the fork. Descriptors of ours are close-on-exec; there is no close_range(2)
 * for what is not. */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/procstat.h"
#include "os/sock.h"

struct failure {
    int error;
    enum os_spawn_step step;
};

static void default_signals(void)
{
    struct sigaction dfl = { .sa_handler = SIG_DFL };
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &dfl, NULL);
}

static int set_user(const struct os_spawn *s)
{
    if (!s->has_user)
        return 0;
    if (setgroups((int)s->n_groups, s->groups) < 0 || setgid(s->gid) < 0)
        return -1;
    return setuid(s->uid);
}

/* The target may be one of 0, 1, 2 already taken by another source; ours are all above 2. */
static int place(int fd, int target)
{
    return fd < 0 ? 0 : dup2(fd, target);
}

static no_return void child(const struct os_spawn *s, int tell)
{
    struct failure f = { .step = SPAWN_FORK };
    sigset_t none;
    *s->born = (int32_t)getpid();
    setsid();
    default_signals();
    umask(s->umask);
    if (s->limits)
        os_limits_apply(s->limits);

    int in = s->in < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : s->in;
    if (in < 0 || place(in, 0) < 0 || place(s->out, 1) < 0 || place(s->err, 2) < 0)
        goto failed;
    if (s->channel >= 0 && (s->channel == 3 ? fcntl(3, F_SETFD, 0) : dup2(s->channel, 3)) < 0)
        goto failed;

    f.step = SPAWN_USER;
    if (set_user(s) < 0)
        goto failed;
    f.step = SPAWN_CHDIR;
    if (chdir(s->cwd) < 0)
        goto failed;
    f.step = SPAWN_EXEC;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(s->exec, s->argv, s->envp);
failed:
    f.error = errno;
    _exit(write(tell, &f, sizeof(f)) == sizeof(f) ? 127 : 126);
}

/* Above 3, which the child may need for its channel. */
static int open_tell(int pair[2])
{
    if (os_pipe(pair) < 0)
        return -1;
    int high = fcntl(pair[1], F_DUPFD_CLOEXEC, 4);
    fd_done(&pair[1]);
    pair[1] = high;
    if (high < 0)
        fd_done(&pair[0]);
    return high < 0 ? -1 : 0;
}

/* Blocked signals: a handler of ours must not run in the child. */
static pid_t fork_child(const struct os_spawn *s, int tell)
{
    sigset_t all, was;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    pid_t pid = fork();
    if (pid == 0)
        child(s, tell);
    int why = errno;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    errno = why;
    return pid;
}

static void fail(struct os_birth *o, enum os_spawn_step step, int error)
{
    o->pid = -1;
    o->step = step;
    o->error = error;
}

int os_spawn_read(int report, enum os_spawn_step *step, int *error)
{
    struct failure f;
    ssize_t n;
    do
        n = read(report, &f, sizeof(f));
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    *step = n == sizeof(f) ? f.step : SPAWN_OK; /* closed by exec */
    *error = n == sizeof(f) ? f.error : 0;
    return 1;
}

static void spawn_one(struct os_birth *o)
{
    int pair[2];
    struct proc_info now;
    o->report = -1;
    if (open_tell(pair) < 0) {
        fail(o, SPAWN_FORK, errno);
        return;
    }
    own_fd told = pair[0], tell = pair[1];
    o->pid = fork_child(&o->how, tell);
    if (o->pid < 0) {
        fail(o, SPAWN_FORK, errno);
        return;
    }
    fd_done(&tell);
    if (o->how.has_user && o->how.uid != geteuid()) { /* its user may stop it: it is not waited for */
        fcntl(told, F_SETFL, O_NONBLOCK);
        o->step = SPAWN_OK;
        o->start = procstat_read(o->pid, &now) ? now.start : 0;
        o->report = steal_fd(told);
        return;
    }
    os_spawn_read(told, &o->step, &o->error);
    if (o->step == SPAWN_OK) {
        o->start = procstat_read(o->pid, &now) ? now.start : 0;
        return;
    }
    *o->how.born = 0;
    while (waitpid(o->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    fail(o, o->step, o->error);
}

void os_spawn(struct os_birth *births, size_t n)
{
    for (size_t i = 0; i < n; i++)
        spawn_one(&births[i]);
}

void os_spawn_rest(void)
{
}

int os_spawn_init(void)
{
    return 0;
}
