/* How a daemon comes up. Whoever finds none takes the lock of the home folder itself, looks again, and
 * only then starts velos-keeper; fifty racing CLIs so start one. The keeper gets the write end of a pipe
 * and says "ok" on it once the socket answers, or why there is no daemon. The lock is held until then.
 *
 * The keeper outlives us and must hold nothing of ours: `$(velos start x)` returns when the last copy of
 * its stdout is closed. */
#include "proto/launch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/time.h"
#include "config.h"
#include "os/fds.h"
#include "os/fork.h"
#include "os/heap.h"
#include "os/limits.h"
#include "os/self.h"
#include "os/sock.h"
#include "os/unixsock.h"
#include "proto/home.h"
#include "proto/keep.h"
#include "proto/proto.h"

extern char **environ; /* NOLINT(readability-redundant-declaration): not in every system's headers */

enum {
    READY_FD = 3, /* in the keeper, and in velosd */
    KEEPER_FD,    /* the two ends of their line */
    VELOSD_FD,
    LAST_FD = VELOSD_FD,
    LOG_MOST = 10 << 20,
    END_MS = 5000, /* so long may a daemon take that is ending */
};

int launch_prepare_home(const char *home, struct err *e)
{
    struct stat st;
    if (home_check(home, e) < 0)
        return -1;
    if (stat(home, &st) == 0)
        return 0;
    if (errno != ENOENT)
        return err_sys(e, "home %s", home);
    if (path_make_dirs(home, 0700, e) < 0)
        return -1;
    return home_check(home, e);
}

/* The folder of the running program, or NULL where the system does not tell. */
static char *own_folder(void)
{
    own_text path = os_self_path();
    return path ? path_dir(path) : NULL;
}

int launch_find_keeper(char **out, struct err *e)
{
    own_text beside = own_folder();
    const char *const folders[] = { beside, VELOS_LIBEXECDIR };
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        if (!folders[i])
            continue;
        own_text path = path_join(folders[i], "velos-keeper");
        if (access(path, X_OK) == 0) {
            *out = steal(path);
            return 0;
        }
    }
    err_set(e, ERR_UNREACHABLE, "velos-keeper is neither in %s nor in %s", beside ? beside : "(unknown)",
            VELOS_LIBEXECDIR);
    return err_hint(e, "install velos again");
}

/* What the children need, made beforehand: between fork and exec nothing is allocated. */
struct birth {
    const char *keeper, *velosd; /* velosd: NULL: the keeper is to look for it */
    char *const *argv, *const *env;
    char *const *velosd_argv;
    char *pid_text;                /* of velosd, for the keeper: in its argv */
    struct os_limits limits;       /* the system's */
    int null, log, ready, line[2]; /* all above LAST_FD, so that no dup2 lands on one of them */
};

static void default_signals(void)
{
    struct sigaction plain = { .sa_handler = SIG_DFL };
    for (int s = 1; s < NSIG; s++)
        sigaction(s, &plain, NULL); /* fails for SIGKILL, SIGSTOP and libc's own: as it should */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The environment without what names the app we may have been called from: the daemon would be taken for one
 * of that app's processes, and stopped with it. And without its zone and language: the daemon is all users'
 * and all shells'. The texts stay environ's. */
static char **environ_without_caller(void)
{
    static const char *const names[] = {
        "VELOS_INSTANCE=",
        "VELOS_NAME=",
        "VELOS_ID=",
        "NODE_APP_INSTANCE=",
        "NODE_CHANNEL_FD=",
        "NODE_CHANNEL_SERIALIZATION_MODE=",
        "NODE_UNIQUE_ID=",
        "NOTIFY_SOCKET=",
        "WATCHDOG_USEC=",
        "WATCHDOG_PID=",
        "LISTEN_FDS=",
        "LISTEN_PID=",
        "LISTEN_FDNAMES=",
        "TZ=",
        "LANG=",
        "LANGUAGE=",
        "LC_",
    };
    static char tune[] = HEAP_TUNE_NAME "=" HEAP_TUNE_VALUE;
    char **env = xcalloc(strv_len(environ) + 2, sizeof(*env));
    size_t n = 0;
    if (!getenv(HEAP_TUNE_NAME))
        env[n++] = tune;
    for (char **v = environ; *v; v++) {
        bool caller = false;
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            caller |= text_starts(*v, names[i]);
        if (!caller)
            env[n++] = *v;
    }
    return env;
}

static void become_velosd(void *arg)
{
    const struct birth *b = arg;
    close(KEEPER_FD);
    execve(b->velosd, b->velosd_argv, b->env);
}

/* By hand: no printf between fork and exec. */
static void write_pid(pid_t pid, char *to)
{
    char digits[16];
    int n = 0;
    for (; pid > 0 || n == 0; pid /= 10)
        digits[n++] = (char)('0' + pid % 10);
    while (n > 0)
        *to++ = digits[--n];
    *to = '\0';
}

/* On our own memory (os/fork.h). velosd is started first, by the process that becomes the keeper: it is the
 * keeper's child, and takes its half millisecond to load while the keeper takes its own. */
static void become_keeper(void *arg)
{
    const struct birth *b = arg;
    pid_t velosd = -1;
    setsid();
    default_signals();
    umask(077);
    os_limits_apply(&b->limits);
    os_reset_process();
    if (chdir("/") == 0 && dup2(b->null, 0) >= 0 && dup2(b->log, 1) >= 0 && dup2(b->log, 2) >= 0 &&
        dup2(b->ready, READY_FD) >= 0 && dup2(b->line[0], KEEPER_FD) >= 0 &&
        dup2(b->line[1], VELOSD_FD) >= 0) {
        os_fds_close_from(LAST_FD + 1);
        if (b->velosd)
            velosd = os_fork(become_velosd, arg);
        write_pid(MAX(velosd, 0), b->pid_text); /* 0: the keeper starts one itself */
        close(VELOSD_FD);
        execve(b->keeper, b->argv, b->env);
    }
    const char *why = strerror(errno);
    if (velosd > 0)
        kill(velosd, SIGKILL);
    if (write(READY_FD, why, strlen(why)) < 0)
        _exit(126);
    _exit(127);
}

/* Moves *fd above LAST_FD. */
static int lift(int *fd, struct err *e)
{
    if (*fd > LAST_FD)
        return 0;
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, LAST_FD + 1);
    if (high < 0)
        return err_sys(e, "duplicate a descriptor");
    fd_done(fd);
    *fd = high;
    return 0;
}

static int open_lifted(const char *path, int flags, int *out, struct err *e)
{
    own_fd fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return err_sys(e, "open %s", path);
    if (lift(&fd, e) < 0)
        return -1;
    *out = steal_fd(fd);
    return 0;
}

static int open_line(int *keeper_end, int *velosd_end, struct err *e)
{
    int line[2];
    if (keep_pair(line) < 0)
        return err_sys(e, "socketpair");
    *keeper_end = line[0];
    *velosd_end = line[1];
    return lift(keeper_end, e) < 0 ? -1 : lift(velosd_end, e);
}

static void rotate_log(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || st.st_size <= LOG_MOST)
        return;
    own_text old = xasprintf("%s.1", path);
    (void)!rename(path, old); /* fails: the log goes on growing, which is no reason not to start */
}

static int spawn_keeper(const char *home, const char *settings, int take_ready, struct err *e)
{
    own_fd ready = take_ready, null = -1, log = -1, keeper_end = -1, velosd_end = -1;
    own_text keeper = NULL;
    own_text log_path = path_join(home, PROTO_LOG);
    rotate_log(log_path);
    if (lift(&ready, e) < 0 || launch_find_keeper(&keeper, e) < 0 ||
        open_lifted("/dev/null", O_RDWR, &null, e) < 0 ||
        open_lifted(log_path, O_WRONLY | O_CREAT | O_APPEND, &log, e) < 0 ||
        open_line(&keeper_end, &velosd_end, e) < 0)
        return -1;

    assert(keeper);
    own_text dir = path_dir(keeper);
    own_text velosd = path_join(dir, "velosd");
    char ready_text[16], keeper_text[16], velosd_text[16], pid_text[16];
    snprintf(ready_text, sizeof(ready_text), "%d", READY_FD);
    snprintf(keeper_text, sizeof(keeper_text), "%d", KEEPER_FD);
    snprintf(velosd_text, sizeof(velosd_text), "%d", VELOSD_FD);
    char *argv[] = { keeper,   "--home",      (char *)home, "--ready-fd", ready_text, "--velosd",
                     pid_text, "--velosd-fd", keeper_text,  NULL,         NULL,       NULL };
    char *velosd_argv[] = { velosd,      "--home",     (char *)home, "--keeper-fd",
                            velosd_text, "--ready-fd", ready_text,   NULL };
    if (settings && *settings) {
        argv[9] = "--settings";
        argv[10] = (char *)settings;
    }
    char **env = environ_without_caller();
    struct birth birth = {
        .keeper = keeper,
        .velosd = access(velosd, X_OK) == 0 ? velosd : NULL,
        .argv = argv,
        .env = env,
        .velosd_argv = velosd_argv,
        .pid_text = pid_text,
        .null = null,
        .log = log,
        .ready = ready,
        .line = { keeper_end, velosd_end },
    };
    os_limits_of_system(&birth.limits);
    pid_t pid = os_fork(become_keeper, &birth);
    free(env);
    return pid < 0 ? err_sys(e, "fork") : 0;
}

/* 1: more may come, 0: the writer has closed, -1: error. */
static int read_some(int fd, int64_t deadline, struct buf *said, struct err *e)
{
    int64_t left = deadline - time_mono_ms();
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int r = poll(&p, 1, (int)MAX(left, 0));
    if (r < 0 && errno == EINTR)
        return 1;
    if (r <= 0)
        return err_set(e, ERR_UNREACHABLE, "it is not ready after the time it has for that");
    char part[256];
    ssize_t n = read(fd, part, sizeof(part));
    if (n < 0)
        return err_sys(e, "read its first word");
    buf_add(said, part, (size_t)n);
    return n > 0;
}

static int await_ready(int fd, int64_t deadline, struct err *e)
{
    own_buf said = { 0 };
    int r;
    while ((r = read_some(fd, deadline, &said, e)) > 0)
        if (said.len && (said.len > sizeof(e->text) || memchr(said.data, '\n', said.len)))
            break;
    if (r < 0)
        return -1;
    const char *word = said.data ? said.data : "";
    size_t len = strcspn(word, "\n");
    if (len == 2 && memcmp(word, "ok", 2) == 0)
        return 0;
    return len ? err_set(e, ERR_UNREACHABLE, "%.*s", (int)len, word)
               : err_set(e, ERR_UNREACHABLE, "it ended at once");
}

static int start(const char *home, const char *settings, int64_t deadline, struct err *e)
{
    int ends[2];
    if (os_pipe(ends) < 0)
        return err_sys(e, "pipe");
    own_fd from = ends[0];
    if (spawn_keeper(home, settings, ends[1], e) < 0)
        return -1;
    if (await_ready(from, deadline, e) < 0)
        return err_hint(e, "see %s/" PROTO_LOG, home);
    return 0;
}

static void on_alarm(int sig)
{
    (void)sig;
}

/* Both hold the lock until their last moment. flock(2) knows no timeout, but a signal interrupts it; again
 * and again, in case the first comes before the wait, and to see whether who has the lock has come up
 * meanwhile: then *connection leads to him, and it is not unlocked. */
static bool await_unlocked(const char *home, int timeout_ms, int *connection)
{
    struct err ignored;
    own_text path = path_join(home, PROTO_LOCK);
    own_fd fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return true;
    int64_t deadline = time_mono_ms() + timeout_ms;
    struct sigaction tick = { .sa_handler = on_alarm }, old;
    struct itimerval every = { { 0, 100000 }, { 0, 100000 } }, off = { 0 };
    sigaction(SIGALRM, &tick, &old);
    setitimer(ITIMER_REAL, &every, NULL);
    int r;
    while ((r = flock(fd, LOCK_EX)) < 0 && errno == EINTR && time_mono_ms() < deadline)
        if ((*connection = os_unix_connect(home, PROTO_SOCKET, &ignored)) >= 0)
            break;
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &old, NULL);
    return r == 0;
}

/* The socket does not answer, yet somebody has the lock: they are ending, or coming up (velos daemon), or
 * somebody took the socket away. 0: nobody runs, unless *connection leads to him. */
static int await_last_one(const char *home, int *connection, struct err *e)
{
    if (await_unlocked(home, END_MS, connection) || *connection >= 0)
        return 0;
    err_set(e, ERR_UNREACHABLE, "another one runs on %s, and %s/" PROTO_SOCKET " does not lead to it", home,
            home);
    return err_hint(e, "end it: kill $(pgrep -f 'velos-keeper --home %s'); its apps are stopped then", home);
}

/* Whoever starts a daemon or looks at its lock holds this one: for a moment the looker has the other, and a
 * keeper that starts just then would find it taken. */
static int lock_home(const char *home, int *out, struct err *e)
{
    own_fd lock = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0)
        return err_sys(e, "open %s", home);
    while (flock(lock, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_sys(e, "lock %s", home);
    *out = steal_fd(lock);
    return 0;
}

bool launch_is_taken(const char *home)
{
    struct err ignored;
    own_fd home_lock = -1;
    if (lock_home(home, &home_lock, &ignored) < 0)
        return false;
    own_text path = path_join(home, PROTO_LOCK);
    own_fd fd = open(path, O_RDWR | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

void launch_await_end(const char *home, int timeout_ms)
{
    struct err ignored; /* no home, or nobody there: it has ended */
    own_fd lock = -1;
    if (lock_home(home, &lock, &ignored) < 0)
        return;
    own_fd next = os_unix_connect(home, PROTO_SOCKET, &ignored);
    if (next < 0) /* else somebody has started another by now */
        await_unlocked(home, timeout_ms, &next);
}

int launch_daemon(const char *home, const char *settings, int timeout_ms, struct err *e)
{
    if (launch_prepare_home(home, e) < 0)
        return -1;
    own_fd lock = -1;
    if (lock_home(home, &lock, e) < 0)
        return -1;
    int fd = os_unix_connect(home, PROTO_SOCKET, e);
    if (fd >= 0)
        return fd; /* somebody was faster */
    int r = await_last_one(home, &fd, e);
    if (r == 0 && fd < 0)
        r = start(home, settings, time_mono_ms() + timeout_ms, e);
    if (r == 0 && fd < 0)
        fd = os_unix_connect(home, PROTO_SOCKET, e);
    if (fd >= 0)
        return fd;
    if (e->code == ERR_FAILED)
        e->code = ERR_UNREACHABLE;
    return err_in(e, "start the daemon");
}
