#include "os/procstat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "os/pidfd.h"

long procstat_ticks_per_second(void)
{
    static long ticks;
    if (!ticks)
        ticks = sysconf(_SC_CLK_TCK);
    return ticks;
}

static uint64_t page_size(void)
{
    static uint64_t size;
    if (!size)
        size = (uint64_t)sysconf(_SC_PAGESIZE);
    return size;
}

/* Of field 9; the kernel's include/linux/sched.h. The first is set before a process lets go of its memory,
 * the other from fork to exec. */
enum { PF_EXITING_ = 0x4, PF_FORKNOEXEC_ = 0x40 };

/* Fields are numbered as in proc(5). The name in parentheses may hold anything, ')' and blanks too: the last
 * one ends it, and field 3 comes behind. By hand, not by sscanf: this runs for every process of the machine.
 */
static bool parse_stat(const char *text, struct proc_info *out)
{
    enum {
        FIRST = 3,
        PPID = 4,
        PGRP,
        SESSION,
        FLAGS = 9,
        UTIME = 14,
        STIME,
        THREADS = 20,
        START = 22,
        RSS = 24,
        EXIT = 52,
        FIELDS
    };
    uint64_t field[FIELDS] = { 0 };
    const char *p = strrchr(text, ')');
    if (!p || p[1] != ' ')
        return false;
    out->state = p[2];
    p += 3;
    for (int i = FIRST + 1; i < FIELDS; i++) {
        p += *p == ' ';
        bool negative = *p == '-';
        p += negative;
        if (*p < '0' || *p > '9')
            return false;
        uint64_t n = 0;
        for (; *p >= '0' && *p <= '9'; p++)
            n = n * 10 + (uint64_t)(*p - '0');
        field[i] = negative ? 0 : n;
    }
    if (out->state == 'Z' && field[THREADS] > 1)
        out->state = 'S'; /* its first thread has ended, the process has not */
    out->ppid = (pid_t)field[PPID];
    out->pgrp = (pid_t)field[PGRP];
    out->session = (pid_t)field[SESSION];
    out->exiting = field[FLAGS] & PF_EXITING_;
    out->executed = !(field[FLAGS] & PF_FORKNOEXEC_);
    out->cpu = field[UTIME] + field[STIME];
    out->start = field[START];
    out->rss = field[RSS] * page_size();
    out->exit_status = (int)field[EXIT];
    return true;
}

static bool read_at(int dir, const char *name, struct proc_info *out)
{
    char path[32], text[1024];
    snprintf(path, sizeof(path), "%s/stat", name);
    own_fd fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        errno = errno == ENOENT ? ESRCH : errno;
        return false;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1); /* made in one piece by the kernel */
    if (n <= 0)
        return false;
    text[n] = '\0';
    errno = EBADMSG;
    return parse_stat(text, out);
}

bool procstat_read(pid_t pid, struct proc_info *out)
{
    char name[24];
    snprintf(name, sizeof(name), "/proc/%d", (int)pid);
    out->pid = pid;
    return read_at(AT_FDCWD, name, out);
}

enum procstat_there procstat_look(pid_t pid, uint64_t start, struct proc_info *out)
{
    if (procstat_read(pid, out))
        return start == 0 || out->start == start ? PROCSTAT_THERE : PROCSTAT_GONE;
    int why = errno;
    return why == ESRCH || (kill(pid, 0) < 0 && errno == ESRCH) ? PROCSTAT_GONE : PROCSTAT_UNKNOWN;
}

ssize_t procstat_all(struct proc_info **out, size_t *vanished, procstat_skip *skip, void *arg)
{
    *vanished = 0;
    DIR *dir = opendir("/proc");
    if (!dir)
        return -1;
    struct proc_info *all = NULL;
    size_t n = 0, cap = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        if (d->d_name[0] < '1' || d->d_name[0] > '9')
            continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 128;
            all = xrealloc(all, cap * sizeof(*all));
        }
        all[n].pid = (pid_t)strtol(d->d_name, NULL, 10);
        if (skip && skip(arg, all[n].pid))
            continue;
        bool there = read_at(dirfd(dir), d->d_name, &all[n]);
        if (!there && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
            int why = errno;
            closedir(dir);
            free(all);
            errno = why;
            return -1;
        }
        n += there;
        *vanished += !there;
    }
    closedir(dir);
    *out = all;
    return (ssize_t)n;
}

/* The list is made for each read: one that leaves room in the buffer was the last. */
static bool add_children(int tasks, const char *tid, struct buf *text)
{
    enum { PIECE = 4096, ROOM = 16 /* for one more */ };
    char path[NAME_MAX + sizeof("/children")];
    size_t len = strlen(tid);
    memcpy(path, tid, len);
    memcpy(path + len, "/children", sizeof("/children"));
    own_fd fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n = PIECE; fd >= 0 && n > PIECE - ROOM;) {
        buf_reserve(text, PIECE);
        n = read(fd, text->data + text->len, PIECE);
        if (n < 0)
            return false;
        text->len += (size_t)n;
    }
    return fd >= 0 || errno == ENOENT; /* the thread has ended: its children are another's of ours now */
}

static bool has_lists(void)
{
    static int answer = -1;
    if (answer < 0)
        answer = access("/proc/thread-self/children", R_OK) == 0;
    return answer;
}

/* Our own threads are asked for at each exit of an app: their directory stays open, for the one thread that
 * asks. */
static DIR *open_tasks(pid_t pid)
{
    static DIR *own;
    static pid_t owner; /* a forked process has other ones */
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    if (pid != getpid())
        return opendir(path);
    if (own && owner == pid) {
        rewinddir(own);
        return own;
    }
    if (own)
        closedir(own);
    owner = pid;
    return own = opendir(path);
}

/* A child is the child of a thread. */
ssize_t procstat_children(pid_t pid, pid_t **out)
{
    own_buf text = { 0 };
    bool whole = has_lists();
    DIR *tasks = whole ? open_tasks(pid) : NULL;
    for (struct dirent *d; tasks && whole && (d = readdir(tasks));)
        if (d->d_name[0] != '.')
            whole = add_children(dirfd(tasks), d->d_name, &text);
    if (tasks && pid != getpid())
        closedir(tasks);
    if (!tasks || !whole)
        return -1;
    buf_addc(&text, '\0');
    size_t n = 0;
    pid_t *pids = xcalloc(text.len / 2 + 1, sizeof(*pids)); /* a digit and a blank each, at least */
    for (const char *p = text.data; *p >= '0' && *p <= '9'; p += *p == ' ') {
        pid_t number = 0;
        for (; *p >= '0' && *p <= '9'; p++)
            number = number * 10 + (*p - '0');
        pids[n++] = number;
    }
    *out = pids;
    return (ssize_t)n;
}

void procstat_name(pid_t pid, char out[20])
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    own_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, 19);
    if (n <= 0)
        n = snprintf(out, 20, "?");
    out[n] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* The first number of a line of /proc/PID/status; -1: there is no such process. */
static long long read_status(pid_t pid, const char *line)
{
    char path[32], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    own_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    const char *found = strstr(text, line);
    return found ? strtoll(found + strlen(line), NULL, 10) : -1;
}

bool procstat_is_traced(pid_t pid)
{
    return read_status(pid, "\nTracerPid:") > 0;
}

bool procstat_user(pid_t pid, uid_t *out)
{
    long long uid = read_status(pid, "\nUid:");
    *out = (uid_t)uid;
    return uid >= 0;
}

enum procstat_env procstat_get_env(pid_t pid, const char *name, char *out, size_t size)
{
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    own_text env = NULL;
    size_t len, name_len = strlen(name);
    struct err e;
    if (file_read(path, 8 << 20, &env, &len, &e) < 0)
        return e.sys == EACCES ? PROCSTAT_ENV_ABSENT
                               : PROCSTAT_ENV_HIDDEN; /* another user's is none of ours */
    if (len == 0)
        return PROCSTAT_ENV_HIDDEN;
    for (const char *p = env; p < env + len; p += strlen(p) + 1)
        if (strncmp(p, name, name_len) == 0 && p[name_len] == '=') {
            snprintf(out, size, "%s", p + name_len + 1);
            return PROCSTAT_ENV_FOUND;
        }
    return PROCSTAT_ENV_ABSENT;
}

int procstat_kill(pid_t pid, uint64_t start, int sig)
{
    own_fd fd = os_pidfd_open(pid);
    struct proc_info now;
    if (fd < 0 && errno != ENOSYS)
        return -1;
    if (!procstat_read(pid, &now) || now.start != start) {
        errno = ESRCH;
        return -1;
    }
    if (fd < 0)
        return kill(pid, sig);
    return (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}
