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

#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/time.h"
#include "os/fds.h"
#include "os/fork.h"
#include "os/self.h"
#include "os/subreaper.h"
#include "proto/keep.h"
#include "proto/proto.h"

enum {
    GAP_MS = 2000,      /* how long a child may hang between fork and exec before we go on without its word */
    BACKOFF_FIRST = 50, /* ms; doubles while velosd dies before it is up */
    BACKOFF_MOST = 10000,
    BURST = 100, /* deaths of a velosd that was up, within BURST_MS, before we slow down */
    BURST_MS = 10000,
};

struct entry {
    struct link link;
    char *key, *blob;
    uint32_t hash, blob_len;
    uint16_t flags; /* KEEP_BLOB_FD, KEEP_HAS_STATUS */
    uint16_t n_fds;
    int *fds;
    int32_t pid, status;
    bool handed; /* this velosd has it */
    bool news;   /* this velosd has it, and does not know its birth or death yet */
};

enum after { AFTER_RESTART, AFTER_LEAVE, AFTER_BYE, AFTER_UPDATE };

static struct {
    const struct keeper_options *options;
    char *velosd, *self; /* files */
    char nofile[24];     /* for apps */
    struct link entries;
    pid_t pid;         /* velosd, or 0 */
    int sock;          /* to it, or -1 */
    int old_sock;      /* to the one before, while a child of its may still speak; or -1 */
    int64_t old_until; /* ... and until when the next velosd waits for that */
    bool all_told;     /* KEEP_ALL was sent */
    bool up;
    bool terminate; /* a signal asked us to end */
    enum after after;
    int64_t start_at; /* when velosd is to be started, mono ms; 0: not by time */
    int64_t backoff;
    int64_t deaths[BURST];
    size_t n_deaths;
    int ready_fd;
    int wake[2];
    char buffer[KEEP_BUFFER];
} k;

/* Entries. */

static uint32_t hash_of(const char *key)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 16777619u;
    return h;
}

static struct entry *find(const char *key)
{
    uint32_t hash = hash_of(key);
    list_each (l, &k.entries) {
        struct entry *e = container_of(l, struct entry, link);
        if (e->hash == hash && strcmp(e->key, key) == 0)
            return e;
    }
    return NULL;
}

static struct entry *find_pid(pid_t pid)
{
    list_each (l, &k.entries) {
        struct entry *e = container_of(l, struct entry, link);
        if (e->pid == pid && !(e->flags & KEEP_HAS_STATUS))
            return e;
    }
    return NULL;
}

static void entry_drop_fds(struct entry *e)
{
    for (size_t i = 0; i < e->n_fds; i++)
        close(e->fds[i]);
    free(e->fds);
    e->fds = NULL;
    e->n_fds = 0;
}

static void entry_free(struct entry *e)
{
    list_remove(&e->link);
    entry_drop_fds(e);
    free(e->blob);
    free(e->key);
    free(e);
}

static void put(const struct keep_msg *m, bool handed)
{
    struct entry *e = find(m->key);
    if (!e) {
        e = xnew(struct entry);
        e->key = xstrdup(m->key);
        e->hash = hash_of(m->key);
        list_append(&k.entries, &e->link);
    }
    bool same_fds = m->head.flags & KEEP_SAME_FDS;
    if (!same_fds)
        entry_drop_fds(e);
    free(e->blob);
    if (m->head.pid != e->pid) {
        e->pid = m->head.pid;
        e->flags = 0;
        e->news = false;
    }
    e->flags = (uint16_t)((e->flags & KEEP_HAS_STATUS) | (m->head.flags & (KEEP_BLOB_FD | KEEP_HAS_STATUS)));
    if (m->head.flags & KEEP_HAS_STATUS)
        e->status = m->head.status;
    e->blob_len = m->head.blob_len;
    e->blob = xmalloc(e->blob_len + 1);
    memcpy(e->blob, m->blob, e->blob_len + 1);
    if (!same_fds) {
        e->n_fds = m->head.n_fds;
        e->fds = xcalloc(e->n_fds, sizeof(int));
        memcpy(e->fds, m->fds, sizeof(int) * e->n_fds);
    }
    e->handed = handed;
}

static struct keep_head head_of(const struct entry *e, enum keep_type type)
{
    return (struct keep_head){
        .type = (uint16_t)type,
        .flags = e->flags,
        .key_len = (uint16_t)strlen(e->key),
        .n_fds = e->n_fds,
        .blob_len = e->blob_len,
        .pid = e->pid,
        .status = e->status,
    };
}

/* Telling velosd. */

static bool say(const struct keep_head *h, const char *key, const char *blob, const int *fds)
{
    if (keep_send(k.sock, h, key, blob, fds) == 0)
        return true;
    if (errno != EAGAIN && errno != ENOBUFS && errno != EPIPE && errno != ECONNRESET && errno != ETOOMANYREFS)
        log_error("hand over %s: %s", key, strerror(errno));
    return false;
}

/* Sends what this velosd does not have yet, as far as the socket takes it. True when nothing is left. */
static bool tell(void)
{
    if (k.sock < 0)
        return true;
    if (!k.all_told) {
        list_each (l, &k.entries) {
            struct entry *e = container_of(l, struct entry, link);
            struct keep_head h = head_of(e, KEEP_ENTRY);
            if (e->handed)
                continue;
            if (!say(&h, e->key, e->blob, e->fds))
                return false;
            e->handed = true;
            e->news = false;
        }
        struct keep_head all = { .type = KEEP_ALL, .pid = getpid() };
        if (!say(&all, "", "", NULL))
            return false;
        k.all_told = true;
    }
    list_each (l, &k.entries) {
        struct entry *e = container_of(l, struct entry, link);
        if (!e->news)
            continue;
        struct keep_head h = head_of(e, e->flags & KEEP_HAS_STATUS ? KEEP_EXIT : KEEP_BORN);
        h.n_fds = 0;
        h.blob_len = 0;
        h.flags &= KEEP_HAS_STATUS;
        if (!say(&h, e->key, "", NULL))
            return false;
        e->news = false;
    }
    return true;
}

/* Hearing velosd and its children. */

static void hear(const struct keep_msg *m, bool from_old)
{
    struct entry *e;
    switch (m->head.type) {
    case KEEP_PUT:
        put(m, !from_old);
        return;
    case KEEP_DELETE:
        if ((e = find(m->key)))
            entry_free(e);
        break;
    case KEEP_BORN:
        if (!(e = find(m->key)))
            break;
        e->pid = m->head.pid;
        e->flags &= (uint16_t)~KEEP_HAS_STATUS;
        e->news = from_old && e->handed;
        break;
    case KEEP_UP:
        k.up = true;
        k.backoff = 0;
        break;
    case KEEP_LEAVE:
        k.after = AFTER_LEAVE;
        break;
    case KEEP_BYE:
        k.after = AFTER_BYE;
        break;
    case KEEP_UPDATE:
        k.after = AFTER_UPDATE;
        break;
    default:
        log_warn("message of unknown type %u ignored", m->head.type);
    }
    for (size_t i = 0; i < m->head.n_fds; i++)
        close(m->fds[i]);
}

/* Reads all there is; closes the socket at its end. */
static void listen_to(int *sock)
{
    bool from_old = sock == &k.old_sock;
    while (*sock >= 0) {
        struct keep_msg m;
        int r = keep_recv(*sock, k.buffer, &m);
        if (r > 0) {
            hear(&m, from_old);
        } else if (r == 0) {
            close(*sock);
            *sock = -1;
        } else if (errno != EBADMSG) {
            return;
        } else {
            log_warn("a damaged message was dropped");
        }
    }
}

/* Starting velosd. */

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
    execl(k.velosd, k.velosd, "--home", k.options->home, "--keeper-fd", sock_text, "--ready-fd", ready_text,
          (char *)NULL);
    log_error("exec %s: %s", k.velosd, strerror(errno));
    _exit(127);
}

static void start_velosd(void)
{
    int pair[2];
    k.start_at = 0;
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
    if (k.ready_fd >= 0) {
        close(k.ready_fd);
        k.ready_fd = -1;
    }
    k.pid = pid;
    k.sock = pair[0];
    k.all_told = k.up = false;
    k.after = AFTER_RESTART;
    list_each (l, &k.entries)
        container_of(l, struct entry, link)->handed = false;
}

/* When the next velosd may start: at once, unless this is a loop. */
static int64_t next_start(int64_t now)
{
    if (!k.up) {
        k.backoff = k.backoff ? MIN(k.backoff * 2, (int64_t)BACKOFF_MOST) : BACKOFF_FIRST;
        log_error("velosd dies before it is up; next try in %lld ms", (long long)k.backoff);
        return now + k.backoff;
    }
    k.deaths[k.n_deaths++ % BURST] = now;
    if (k.n_deaths >= BURST && now - k.deaths[k.n_deaths % BURST] < BURST_MS) {
        log_error("velosd died %d times in %d s; next try in 1 s", BURST, BURST_MS / 1000);
        return now + 1000;
    }
    return now;
}

/* Becomes the file `self` anew, entries and children kept. */
static void exec_self(void)
{
    struct keep_file f;
    if (keep_file_new(&f) < 0) {
        log_error("update: %s; going on as I am", strerror(errno));
        return;
    }
    list_each (l, &k.entries) {
        struct entry *e = container_of(l, struct entry, link);
        struct keep_head h = head_of(e, KEEP_PUT);
        if (keep_file_add(&f, &h, e->key, e->blob, e->fds) < 0) {
            log_error("update: %s; going on as I am", strerror(errno));
            close(f.fd);
            return;
        }
    }
    char fd_text[16];
    snprintf(fd_text, sizeof(fd_text), "%d", f.fd);
    execl(k.self, k.self, "--home", k.options->home, "--resume-fd", fd_text, "--nofile", k.nofile,
          k.options->foreground ? "--foreground" : NULL, (char *)NULL);
    log_error("update: exec %s: %s; going on as I am", k.self, strerror(errno));
    close(f.fd);
}

static void velosd_died(int status)
{
    int64_t now = time_mono_ms();
    k.pid = 0;
    listen_to(&k.sock); /* its last words */
    if (k.sock >= 0) {  /* no end yet: a child of its is between fork and exec */
        k.old_sock = k.sock;
        k.old_until = now + GAP_MS;
        k.sock = -1;
    }
    if (WIFSIGNALED(status))
        log_warn("velosd was killed by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) && k.after == AFTER_RESTART)
        log_warn("velosd exited with code %d", WEXITSTATUS(status));

    if (k.after == AFTER_UPDATE)
        exec_self();
    if (k.after == AFTER_RESTART || k.after == AFTER_UPDATE)
        k.start_at = next_start(now);
}

/* As wait(2) would tell it. */
static int status_of(const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED)
        return W_EXITCODE(info->si_status, 0);
    return info->si_status | (info->si_code == CLD_DUMPED ? WCOREFLAG : 0);
}

static void reap(void)
{
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        listen_to(&k.sock);
        listen_to(&k.old_sock);
        struct entry *e = info.si_pid == k.pid ? NULL : find_pid(info.si_pid);
        if (e) {
            e->status = status_of(&info);
            e->flags |= KEEP_HAS_STATUS;
            e->news = e->handed;
            tell(); /* before the process vanishes: who does not find it in /proc finds our word */
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
    struct entry *e = k.pid == 0 && k.after == AFTER_LEAVE ? find("sock") : NULL;
    return e && e->n_fds ? e->fds[0] : -1;
}

static int timeout_of(int64_t now)
{
    if (k.pid || k.start_at == 0)
        return -1;
    int64_t due = k.old_sock >= 0 ? MAX(k.start_at, k.old_until) : k.start_at;
    return due <= now ? 0 : (int)(due - now);
}

static void round_of_work(void)
{
    bool told = tell();
    struct pollfd p[4] = {
        { .fd = k.wake[0], .events = POLLIN },
        { .fd = k.sock, .events = (short)(POLLIN | (told ? 0 : POLLOUT)) },
        { .fd = k.old_sock, .events = POLLIN },
        { .fd = socket_to_await(), .events = POLLIN },
    };
    if (poll(p, ARRAY_LEN(p), timeout_of(time_mono_ms())) < 0 && errno != EINTR)
        log_error("poll: %s", strerror(errno));
    read_wakes();
    listen_to(&k.sock);
    listen_to(&k.old_sock);
    reap();
    if (p[3].revents)
        k.start_at = time_mono_ms();
    if (k.terminate && !k.pid && k.after == AFTER_LEAVE)
        k.start_at = time_mono_ms(); /* somebody must stop the apps */
    if (!k.pid && k.start_at && timeout_of(time_mono_ms()) == 0)
        start_velosd();
    if (k.terminate && k.pid && k.up) {
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
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* after an exec out of velosd the mask is what it was there */
}

static int resume(int fd)
{
    struct keep_file f = { .fd = fd };
    struct keep_msg m;
    int r;
    while ((r = keep_file_next(&f, k.buffer, &m)) > 0)
        put(&m, false);
    close(fd);
    return r;
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
    struct keep_msg m = {
        .head = { .type = KEEP_PUT, .n_fds = 1 }, .key = "lock", .blob = (char[]){ "" }, .fds = { fd }
    };
    put(&m, false);
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
    k.sock = k.old_sock = -1;
    k.ready_fd = o->ready_fd;
    k.self = own_file();
    k.velosd = beside_me(k.self, "velosd");
    list_init(&k.entries);
    long nofile = os_fds_raise_limit();
    snprintf(k.nofile, sizeof(k.nofile), "%ld", o->nofile ? o->nofile : nofile);
    if (pipe(k.wake) < 0) {
        log_error("pipe: %s", strerror(errno));
        return 1;
    }
    catch_signals();
    if (!os_subreaper())
        log_warn("no subreaper on this system: orphans of a dead velosd go to init");

    if (o->resume_fd >= 0 ? resume(o->resume_fd) < 0 : take_lock() < 0) {
        tell_ready_fd("locked\n");
        return 1;
    }
    k.start_at = time_mono_ms();
    start_velosd();
    while (k.pid || k.after != AFTER_BYE)
        round_of_work();
    return 0;
}
