#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/time.h"
#include "keeper/entries.h"
#include "os/exec.h"
#include "os/fds.h"
#include "os/fork.h"
#include "os/heap.h"
#include "os/self.h"
#include "os/subreaper.h"
#include "proto/keep.h"
#include "proto/manager.h"
#include "proto/proto.h"
#include "store/ledger.h"

enum {
    BACKOFF_FIRST = 50, /* ms; doubles while velosd dies before it is up */
    BACKOFF_MOST = 10000,
    BURST = 100, /* deaths of a velosd that was up, within BURST_MS, before we slow down */
    BURST_MS = 10000,
    TRIAL_MS = 10000, /* in which an updated velosd gets up */
};

struct death { /* that this velosd is still to be told of */
    struct link link;
    int slot;
    pid_t pid;
    int status;
};

enum after { AFTER_RESTART, AFTER_LEAVE, AFTER_BYE, AFTER_UPDATE };

static struct {
    const struct keeper_options *options;
    char *velosd, *self;         /* files */
    char nofile[24];             /* for apps */
    struct link entries, untold; /* deaths */
    struct ledger *ledger;
    pid_t pid;     /* velosd, or 0 */
    int sock;      /* to it, or -1 */
    bool all_told; /* KEEP_ALL was sent */
    bool news;     /* an entry is not handed */
    bool up;
    int trying;                    /* the file of a velosd that is not up yet, or -1 */
    bool updating;                 /* it is another one than before */
    int64_t up_by;                 /* ... and must be up by then, mono ms */
    char failure[160];             /* why an update failed; "" */
    bool terminate;                /* a signal asked us to end */
    int64_t watchdog, watchdog_at; /* ms between two pings, 0: none wanted; when the next one is due */
    enum after after;
    int64_t start_at; /* when velosd is to be started, mono ms; 0: not by time */
    int64_t backoff;
    int64_t deaths[BURST];
    size_t n_deaths;
    int ready_fd;
    int wake[2];
} k;

/* For who finds no velosd that answers: what we know, in the file that is locked. "": all is well. */
static void note_state(const char *text)
{
    int fd = entries_fd(&k.entries, "lock");
    if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) < 0)
        log_warn("%s: %s", PROTO_LOCK, strerror(errno));
}

/* Telling velosd. */

static bool say(const struct keep_head *h, const char *key, const int *fds)
{
    struct keep_head head = *h;
    head.key_len = (uint16_t)strlen(key);
    if (keep_send(k.sock, &head, key, fds) == 0)
        return true;
    if (errno != EAGAIN && errno != ENOBUFS && errno != EPIPE && errno != ECONNRESET && errno != ETOOMANYREFS)
        log_error("hand over %s: %s", key, strerror(errno));
    return false;
}

static void death_free(struct death *d)
{
    list_remove(&d->link);
    free(d);
}

/* Sends what this velosd does not have yet, as far as the socket takes it. True when nothing is left. */
static bool tell(void)
{
    if (k.sock < 0)
        return true;
    if (!k.all_told || k.news) {
        list_each (l, &k.entries) {
            struct entry *e = container_of(l, struct entry, link);
            struct keep_head h = { .type = KEEP_ENTRY, .n_fds = e->n_fds };
            if (e->handed)
                continue;
            if (!say(&h, e->key, e->fds))
                return false;
            e->handed = true;
        }
        k.news = false;
    }
    if (!k.all_told) {
        struct keep_head all = { .type = KEEP_ALL, .pid = getpid() };
        if (!say(&all, "", NULL))
            return false;
        k.all_told = true;
    }
    while (!list_empty(&k.untold)) {
        struct death *d = container_of(k.untold.next, struct death, link);
        struct keep_head h = { .type = KEEP_EXIT, .pid = d->pid, .status = d->status };
        struct ledger_entry e;
        if (ledger_read(k.ledger, (size_t)d->slot, &e) && !say(&h, e.key, NULL))
            return false;
        death_free(d);
    }
    return true;
}

/* Hearing velosd. */

/* The file it was started from is known to run now; the next velosd, or a keeper after us, starts it. */
static void is_up(void)
{
    k.up = true;
    k.backoff = 0;
    note_state("");
    if (k.trying < 0)
        return;
    entries_keep(&k.entries, KEEP_EXE_VELOSD, steal_fd(k.trying));
    k.news = true;
}

static void hear(const struct keep_msg *m)
{
    struct entry *e;
    switch (m->head.type) {
    case KEEP_PUT:
        entries_put(&k.entries, m, true);
        fault_point("keeper.put");
        return;
    case KEEP_DELETE:
        if ((e = entries_find(&k.entries, m->key)))
            entry_free(e);
        break;
    case KEEP_UP:
        fault_point("keeper.up");
        is_up();
        fault_point("keeper.up.noted");
        break;
    case KEEP_READY:
        manager_tell("READY=1\nMAINPID=%d\nSTATUS=velosd is up", (int)getpid());
        break;
    case KEEP_TIME:
        manager_tell("EXTEND_TIMEOUT_USEC=%lld", strtoll(m->key, NULL, 10) * 1000);
        break;
    case KEEP_LEAVE:
        k.after = AFTER_LEAVE;
        break;
    case KEEP_BYE:
        k.after = AFTER_BYE;
        manager_tell("STOPPING=1");
        break;
    case KEEP_UPDATE:
        k.after = AFTER_UPDATE;
        manager_tell("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)time_mono_ms() * 1000);
        break;
    default:
        log_warn("message of unknown type %u ignored", m->head.type);
    }
    for (size_t i = 0; i < m->head.n_fds; i++)
        close(m->fds[i]);
}

/* Reads all there is; closes the socket at its end. */
static void listen_to_velosd(void)
{
    while (k.sock >= 0) {
        struct keep_msg m;
        int r = keep_recv(k.sock, &m);
        if (r > 0) {
            hear(&m);
        } else if (r == 0) {
            fd_done(&k.sock);
        } else if (errno == EMFILE) {
            log_error("descriptors: the limit of %ld is reached: some are not kept", os_fds_limit());
        } else if (errno != EBADMSG) {
            return;
        } else {
            log_warn("a damaged message was dropped");
        }
    }
}

/* Starting velosd. */

/* The file to start, or -1 for what has the name. */
static int velosd_file(void)
{
    return k.trying >= 0 ? k.trying : entries_fd(&k.entries, KEEP_EXE_VELOSD);
}

static void exec_velosd(void *arg)
{
    int sock = *(const int *)arg;
    char sock_text[16], ready_text[16];
    snprintf(sock_text, sizeof(sock_text), "%d", sock);
    snprintf(ready_text, sizeof(ready_text), "%d", k.ready_fd);
    os_fd_keep_on_exec(sock);
    if (k.ready_fd >= 0)
        os_fd_keep_on_exec(k.ready_fd);
    signal(SIGPIPE, SIG_DFL);
    bool failed = k.failure[0];
    char *argv[] = { k.velosd,
                     "--home",
                     (char *)k.options->home,
                     "--keeper-fd",
                     sock_text,
                     "--ready-fd",
                     ready_text,
                     k.updating ? "--trial"
                     : failed   ? "--update-failed"
                                : NULL,
                     k.updating ? "1" : k.failure,
                     NULL };
    os_exec(velosd_file(), k.velosd, argv);
    log_error("exec %s: %s", k.velosd, strerror(errno));
    _exit(127);
}

static void started(pid_t pid, int sock)
{
    k.pid = pid;
    k.sock = sock;
    k.all_told = k.up = false;
    k.after = AFTER_RESTART;
    list_each (l, &k.entries)
        container_of(l, struct entry, link)->handed = false;
}

static void start_velosd(void)
{
    int pair[2];
    k.start_at = 0;
    if (k.trying < 0 && (k.updating || entries_fd(&k.entries, KEEP_EXE_VELOSD) < 0))
        k.trying = os_exec_open(k.velosd);
    if (k.updating && k.trying < 0) {
        snprintf(k.failure, sizeof(k.failure), "it cannot be opened: %s", strerror(errno));
        k.updating = false;
    }
    k.up_by = k.updating ? time_mono_ms() + TRIAL_MS : 0;
    if (keep_pair(pair) < 0) {
        log_error("socketpair: %s; trying again in %d ms", strerror(errno), BACKOFF_MOST);
        k.start_at = time_mono_ms() + BACKOFF_MOST;
        return;
    }
    pid_t pid = os_fork(exec_velosd, &pair[1]);
    close(pair[1]);
    if (pid < 0) {
        log_error("fork: %s; trying again in 1 s", strerror(errno));
        close(pair[0]);
        k.start_at = time_mono_ms() + 1000;
        return;
    }
    started(pid, pair[0]);
    fd_done(&k.ready_fd); /* velosd has it, and says whether the socket answers */
}

/* Who starts us has started our first velosd too, so that the two come up side by side. pid 0: it could not.
 */
static void take_first_velosd(pid_t pid, int sock)
{
    if (!pid) {
        close(sock);
        return;
    }
    fcntl(sock, F_SETFD, FD_CLOEXEC);
    k.trying = os_exec_open(k.velosd);
    started(pid, sock);
}

/* When the next velosd may start: at once, unless this is a loop. */
static int64_t next_start(int64_t now)
{
    if (!k.up) {
        k.backoff = k.backoff ? MIN(k.backoff * 2, (int64_t)BACKOFF_MOST) : BACKOFF_FIRST;
        log_error("velosd dies before it is up; next try in %lld ms", (long long)k.backoff);
        manager_tell("STATUS=velosd dies before it is up; next try in %lld ms", (long long)k.backoff);
        note_state(
            "velosd dies before it is up; velos-keeper keeps all apps and tries again every few seconds\n");
        return now + k.backoff;
    }
    k.deaths[k.n_deaths++ % BURST] = now;
    if (k.n_deaths >= BURST && now - k.deaths[k.n_deaths % BURST] < BURST_MS) {
        log_error("velosd died %d times in %d s; next try in 1 s", BURST, BURST_MS / 1000);
        return now + 1000;
    }
    return now;
}

/* Becomes what has our name now; entries and children are kept, velosd's end of the line too. */
static void exec_self(void)
{
    struct keep_file f;
    sigset_t all, before;
    k.updating = false;
    if (keep_file_new(&f) < 0 || keep_file_add(&f, "velosd", &k.sock, 1) < 0) {
        log_error("update: %s; going on as I am", strerror(errno));
        return;
    }
    list_each (l, &k.entries) {
        struct entry *e = container_of(l, struct entry, link);
        if (keep_file_add(&f, e->key, e->fds, e->n_fds) < 0) {
            log_error("update: %s; going on as I am", strerror(errno));
            close(f.fd);
            return;
        }
    }
    char fd_text[16], pid_text[16];
    snprintf(fd_text, sizeof(fd_text), "%d", f.fd);
    snprintf(pid_text, sizeof(pid_text), "%d", (int)k.pid);
    fault_point("keeper.update.before");
    sigfillset(&all); /* a signal waits until the next of us can hear it */
    sigprocmask(SIG_BLOCK, &all, &before);
    execl(k.self, k.self, "--home", k.options->home, "--resume-fd", fd_text, "--nofile", k.nofile, "--velosd",
          pid_text, k.options->foreground ? "--foreground" : NULL, (char *)NULL);
    log_error("update: exec %s: %s; going on as I am", k.self, strerror(errno));
    sigprocmask(SIG_SETMASK, &before, NULL);
    list_each (l, &k.entries) {
        const struct entry *e = container_of(l, struct entry, link);
        for (size_t i = 0; i < e->n_fds; i++)
            fcntl(e->fds[i], F_SETFD, FD_CLOEXEC);
    }
    fcntl(k.sock, F_SETFD, FD_CLOEXEC);
    close(f.fd);
}

/* An update that did not get up: what ran before it runs again. */
static void roll_back(int status)
{
    if (time_mono_ms() >= k.up_by)
        snprintf(k.failure, sizeof(k.failure), "it was not up after %d s", TRIAL_MS / 1000);
    else if (WIFSIGNALED(status))
        snprintf(k.failure, sizeof(k.failure), "it was killed by signal %d before it was up",
                 WTERMSIG(status));
    else
        snprintf(k.failure, sizeof(k.failure), "it ended with code %d before it was up", WEXITSTATUS(status));
    log_error("update: %s: %s; the one before runs again", k.velosd, k.failure);
    k.updating = false;
    fd_done(&k.trying);
}

static void velosd_died(int status)
{
    int64_t now = time_mono_ms();
    k.pid = 0;
    listen_to_velosd(); /* its last words; a child between fork and exec may still hold its end */
    fd_done(&k.sock);
    while (!list_empty(&k.untold)) /* the ledger tells the next one */
        death_free(container_of(k.untold.next, struct death, link));
    if (WIFSIGNALED(status))
        log_warn("velosd was killed by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) && k.after == AFTER_RESTART)
        log_warn("velosd exited with code %d", WEXITSTATUS(status));

    if (k.after == AFTER_UPDATE) {
        k.updating = true;
        k.failure[0] = '\0';
        k.start_at = now;
    } else if (k.updating && !k.up) {
        roll_back(status);
        k.start_at = now;
    } else if (k.after == AFTER_RESTART) {
        if (!k.up)
            fd_done(&k.trying); /* what has the name may be repaired by then */
        k.start_at = next_start(now);
    }
}

/* As wait(2) would tell it. */
static int status_of(const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED)
        return info->si_status << 8;
    return info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

static void note_death(pid_t pid, int status)
{
    int slot = ledger_find_child(k.ledger, pid);
    if (slot < 0)
        return;
    ledger_child_ended(k.ledger, slot, pid, status);
    struct death *d = xnew(struct death);
    d->slot = slot;
    d->pid = pid;
    d->status = status;
    list_append(&k.untold, &d->link);
    tell(); /* before the process vanishes: who does not find it in /proc finds our word */
}

static void reap(void)
{
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        listen_to_velosd();
        if (info.si_pid != k.pid) {
            fault_point("keeper.death.seen");
            note_death(info.si_pid, status_of(&info));
            fault_point("keeper.death.noted");
        }
        int status;
        if (waitpid(info.si_pid, &status, 0) < 0)
            return;
        if (info.si_pid == k.pid)
            velosd_died(status);
    }
}

/* The loop. */

static void on_signal(int sig)
{
    int saved = errno;
    char c = sig == SIGCHLD ? 'c' : 't';
    if (write(k.wake[1], &c, 1) < 0) {
        /* full: a wake-up is on its way already */
    }
    errno = saved;
}

static void read_wakes(void)
{
    char c[64];
    ssize_t n;
    while ((n = read(k.wake[0], c, sizeof(c))) > 0)
        if (memchr(c, 't', (size_t)n))
            k.terminate = true;
}

static int socket_to_await(void)
{
    return k.pid == 0 && k.after == AFTER_LEAVE ? entries_fd(&k.entries, "sock") : -1;
}

static bool is_on_trial(void)
{
    return k.updating && k.pid && !k.up;
}

static bool is_start_due(int64_t now)
{
    return !k.pid && k.start_at && k.start_at <= now;
}

static int timeout_of(int64_t now)
{
    int64_t due = k.pid || k.start_at == 0 ? INT64_MAX : k.start_at;
    if (is_on_trial())
        due = MIN(due, k.up_by);
    if (k.watchdog)
        due = MIN(due, k.watchdog_at);
    return due == INT64_MAX ? -1 : due <= now ? 0 : (int)(due - now);
}

static void feed_watchdog(int64_t now)
{
    if (k.watchdog == 0 || now < k.watchdog_at)
        return;
    manager_tell("WATCHDOG=1");
    k.watchdog_at = now + k.watchdog;
}

static void round_of_work(void)
{
    bool told = tell();
    struct pollfd p[] = {
        { .fd = k.wake[0], .events = POLLIN },
        { .fd = k.sock, .events = (short)(POLLIN | (told ? 0 : POLLOUT)) },
        { .fd = socket_to_await(), .events = POLLIN },
    };
    if (poll(p, ARRAY_LEN(p), timeout_of(time_mono_ms())) < 0 && errno != EINTR)
        log_error("poll: %s", strerror(errno));
    if (p[0].revents)
        read_wakes();
    listen_to_velosd();
    if (p[0].revents)
        reap();
    if (p[2].revents)
        k.start_at = time_mono_ms();
    if (k.terminate && !k.pid && k.after == AFTER_LEAVE)
        k.start_at = time_mono_ms(); /* somebody must stop the apps */
    if (is_start_due(time_mono_ms()))
        start_velosd();
    if (is_on_trial() && time_mono_ms() >= k.up_by)
        kill(k.pid, SIGKILL);
    if (k.updating && k.up && k.after == AFTER_RESTART && tell())
        exec_self();
    feed_watchdog(time_mono_ms());
    if (k.terminate && k.pid && k.up) {
        manager_tell("STOPPING=1");
        kill(k.pid, SIGTERM);
        k.terminate = false;
    }
}

static void catch_signals(void)
{
    struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigset_t none;
    for (size_t i = 0; i < 2; i++) {
        fcntl(k.wake[i], F_SETFL, O_NONBLOCK);
        fcntl(k.wake[i], F_SETFD, FD_CLOEXEC);
    }
    sigemptyset(&sa.sa_mask);
    sigaction(SIGCHLD, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* after an exec out of velosd the mask is what it was there */
}

static int resume(int fd)
{
    struct keep_file f = { .fd = fd };
    struct keep_msg m;
    int r;
    while ((r = keep_file_next(&f, &m)) > 0)
        if (strcmp(m.key, "velosd") == 0 && k.options->velosd)
            k.sock = m.fds[0];
        else
            entries_put(&k.entries, &m, k.options->velosd);
    close(fd);
    return r;
}

static int open_ledger(void)
{
    struct err e;
    int fd = entries_fd(&k.entries, "ledger");
    if (fd < 0) {
        fd = ledger_file();
        if (fd < 0) {
            log_error("ledger: %s", strerror(errno));
            return -1;
        }
        entries_keep(&k.entries, "ledger", fd);
    }
    if (ledger_open(fd, &k.ledger, &e) < 0) {
        log_error("%s", e.text);
        return -1;
    }
    return 0;
}

static void note(const char *key, const char *text)
{
    int slot = -1;
    if (ledger_put(k.ledger, &slot, key, 0, text, strlen(text)) < 0)
        log_error("ledger: %s: %s", key, strerror(errno));
}

/* One daemon per home. The lock lives as long as any holder of the descriptor, so it goes with the entries.
 */
static int take_lock(void)
{
    own_text path = path_join(k.options->home, PROTO_LOCK);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        log_error("%s: %s", path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        log_info("a daemon runs on %s already", k.options->home);
        close(fd);
        return -1;
    }
    entries_keep(&k.entries, "lock", fd);
    return 0;
}

static void tell_ready_fd(const char *text)
{
    if (k.ready_fd < 0)
        return;
    if (write(k.ready_fd, text, strlen(text)) < 0) {
        /* whoever started us is gone */
    }
    close(k.ready_fd);
    k.ready_fd = -1;
}

/* velosd has heard nothing of us yet, so nothing came of it. */
static int refuse(const char *why)
{
    if (k.pid) {
        kill(k.pid, SIGKILL);
        waitpid(k.pid, NULL, 0);
    }
    tell_ready_fd(why);
    return 1;
}

static char *beside_me(const char *self, const char *name)
{
    own_text dir = path_dir(self);
    return path_join(dir, name);
}

static char *own_file(void)
{
    char *path = os_self_path(); /* if that was replaced by a newer version, it is what we are to start */
    return path ? path : xstrdup("velos-keeper");
}

int keeper_run(const struct keeper_options *o)
{
    k.options = o;
    k.sock = -1;
    k.ready_fd = o->ready_fd;
    k.self = own_file();
    k.velosd = beside_me(k.self, "velosd");
    k.trying = -1;
    list_init(&k.entries);
    list_init(&k.untold);
    setenv(HEAP_TUNE_NAME, HEAP_TUNE_VALUE, 0);
    long nofile = os_fds_raise_limit();
    snprintf(k.nofile, sizeof(k.nofile), "%ld", o->nofile ? o->nofile : nofile);
    if (pipe(k.wake) < 0) {
        log_error("pipe: %s", strerror(errno));
        return 1;
    }
    catch_signals();
    if (!os_subreaper())
        log_warn("no subreaper on this system: orphans of a dead velosd go to init");

    if (o->velosd_fd >= 0)
        take_first_velosd(o->velosd, o->velosd_fd);
    if (o->resume_fd >= 0 ? resume(o->resume_fd) < 0 : take_lock() < 0)
        return refuse("locked\n");
    if (open_ledger() < 0)
        return refuse("no ledger\n");
    if (o->settings)
        note(LEDGER_SETTINGS, o->settings);
    if (o->resurrect)
        note(LEDGER_BOOT, "");
    k.watchdog = manager_watchdog_ms();
    if (o->resume_fd >= 0) /* we were velosd */
        manager_tell("MAINPID=%d", (int)getpid());
    int self = os_exec_open_self();
    if (self >= 0)
        entries_keep(&k.entries, KEEP_EXE_KEEPER, self);
    if (o->velosd && o->velosd_fd < 0 && k.sock >= 0) {
        k.pid = o->velosd;
        k.up = k.all_told = k.news = true; /* our own file is the news */
        log_info("updated; velosd %d runs", (int)k.pid);
        fault_point("keeper.update.done");
    }
    reap(); /* who died while we became the keeper */
    if (!k.pid)
        start_velosd();
    else
        fd_done(&k.ready_fd);
    while (k.pid || k.after != AFTER_BYE)
        round_of_work();
    return 0;
}
