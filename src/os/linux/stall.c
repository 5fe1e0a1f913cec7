/* By /proc/PID/task/TID/syscall: a system call's number and arguments while its thread sleeps. That is for
 * whom may trace the process: root with CAP_SYS_PTRACE, or its user. Names of descriptors are compared, read
 * by readlink(2): a stat(2) would ask their file system, which may hang. */
#include "os/stall.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "os/procstat.h"

enum { LOOK_MS = 100, FDS_MOST = 4096 };

int os_thread_id(void)
{
    return (int)syscall(SYS_gettid);
}

bool os_pipe_name(int fd, struct os_pipe_name *out)
{
    struct stat st;
    char path[32];
    if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
        return false;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, out->text, sizeof(out->text));
    if (n <= 0 || n == sizeof(out->text))
        return false;
    out->text[n] = '\0';
    return true;
}

/* What a thread is in. */
struct call {
    char state; /* of proc(5) */
    long nr;
    size_t n; /* arguments that are descriptors */
    int fds[2];
};

static bool read_small(int dir, const char *name, char *out, size_t size)
{
    own_fd fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    if (n <= 0)
        return false;
    out[n] = '\0';
    return true;
}

int os_queue(void)
{
    char text[128];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN), running = 1;
    const char *slash = read_small(AT_FDCWD, "/proc/loadavg", text, sizeof(text)) ? strchr(text, '/') : NULL;
    while (slash && slash > text && slash[-1] != ' ')
        slash--;
    if (slash)
        running = strtol(slash, NULL, 10);
    return (int)MAX((running + cpus - 1) / MAX(cpus, 1L), 1L);
}

/* Which arguments are descriptors: bits. */
static unsigned descriptors_of(long nr)
{
    switch (nr) {
    case SYS_splice:
        return 1u << 0 | 1u << 2;
    case SYS_tee:
    case SYS_sendfile:
        return 1u << 0 | 1u << 1;
    case SYS_vmsplice:
    case SYS_read:
    case SYS_readv:
    case SYS_preadv2:
    case SYS_write:
    case SYS_writev:
    case SYS_pwritev2:
    case SYS_ioctl:
    case SYS_fcntl:
        return 1u << 0;
    default:
        return 0;
    }
}

/* False: it runs, or is in none of these, or we may not know. */
static bool read_call(int dir, const char *thread, struct call *out)
{
    char path[64], text[512];
    unsigned long args[6];
    *out = (struct call){ 0 };
    snprintf(path, sizeof(path), "%s/syscall", thread);
    if (!read_small(dir, path, text, sizeof(text)) || text[0] < '0' || text[0] > '9')
        return false;
    char *at = text;
    out->nr = strtol(at, &at, 10);
    for (int i = 0; i < 6; i++)
        args[i] = strtoul(at, &at, 16);
    unsigned which = descriptors_of(out->nr);
    for (int i = 0; i < 3; i++)
        if (which & 1u << i)
            out->fds[out->n++] = (int)args[i];
    if (out->n == 0)
        return false;
    snprintf(path, sizeof(path), "%s/stat", thread);
    const char *end = read_small(dir, path, text, sizeof(text)) ? strrchr(text, ')') : NULL;
    out->state = end && end[1] == ' ' ? end[2] : '?';
    return true;
}

size_t os_stall_pipes(int thread, struct os_pipe_name out[2])
{
    struct call c;
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d", thread);
    if (!read_call(AT_FDCWD, path, &c) || c.state != 'D')
        return 0;
    for (size_t i = 0; i < c.n; i++)
        if (!os_pipe_name(c.fds[i], &out[i]))
            return 0;
    return c.n;
}

/* Holders. */

static bool is_named(int proc, int fd, const struct os_pipe_name *pipe, bool *any_pipe)
{
    char path[32], text[OS_PIPE_NAME];
    *any_pipe = true; /* one that cannot be read is not held against its owner */
    snprintf(path, sizeof(path), "fd/%d", fd);
    ssize_t n = readlinkat(proc, path, text, sizeof(text) - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    *any_pipe = strncmp(text, "pipe:", 5) == 0;
    return strcmp(text, pipe->text) == 0;
}

/* One that sleeps interruptibly does not wait for the lock. */
static bool rank_thread(int proc, const char *thread, const struct os_pipe_name *pipe,
                        enum os_holder_rank *rank)
{
    struct call c;
    bool has = false, other = false, any;
    if (!read_call(proc, thread, &c) || c.state == 'D')
        return false;
    for (size_t i = 0; i < c.n; i++) {
        if (is_named(proc, c.fds[i], pipe, &any))
            has = true;
        else
            other = !any;
    }
    bool moves = c.nr == SYS_splice || c.nr == SYS_sendfile;
    *rank = (moves && other) || c.nr == SYS_vmsplice ? OS_HOLDER_SURE : OS_HOLDER_LIKE;
    return has;
}

static bool rank_threads(int proc, const struct os_pipe_name *pipe, enum os_holder_rank *rank)
{
    int fd = openat(proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    bool found = false;
    for (struct dirent *d; dir && (d = readdir(dir));) {
        enum os_holder_rank r = OS_HOLDER_LIKE;
        char thread[32];
        if (d->d_name[0] < '1' || d->d_name[0] > '9')
            continue;
        snprintf(thread, sizeof(thread), "task/%.20s", d->d_name);
        if (rank_thread(proc, thread, pipe, &r)) {
            *rank = found && *rank < r ? *rank : r;
            found = true;
        }
    }
    if (dir)
        closedir(dir);
    else
        fd_done(&fd);
    return found;
}

static bool has_open(int proc, const struct os_pipe_name *pipe)
{
    int fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), left = FDS_MOST;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    bool found = false, any;
    for (struct dirent *d; !found && left-- > 0 && dir && (d = readdir(dir));)
        found = d->d_name[0] != '.' && is_named(proc, (int)strtol(d->d_name, NULL, 10), pipe, &any);
    if (dir)
        closedir(dir);
    else
        fd_done(&fd);
    return found;
}

static uid_t real_uid(int proc)
{
    char text[1024];
    const char *at = read_small(proc, "status", text, sizeof(text)) ? strstr(text, "\nUid:") : NULL;
    return at ? (uid_t)strtoul(at + strlen("\nUid:"), NULL, 10) : (uid_t)-1;
}

static int64_t mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

size_t os_stall_holders(const struct os_pipe_name *pipe, bool open_too, struct os_holder *out, size_t most)
{
    static long from; /* where the last one stopped */
    int64_t until = mono_ms() + LOOK_MS;
    size_t n = 0;
    DIR *dir = opendir("/proc");
    for (struct dirent *d; n < most && dir && (d = readdir(dir));) {
        pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
        if (pid <= 0 || pid < from || pid == getpid())
            continue;
        if (mono_ms() >= until) {
            from = pid;
            closedir(dir);
            return n;
        }
        struct proc_info info;
        struct os_holder h = { .pid = pid };
        bool known =
            procstat_read(pid, &info); /* before its descriptors: a pid that is reused is not killed */
        own_fd proc = openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (!known || proc < 0)
            continue;
        h.start = info.start;
        h.rank = OS_HOLDER_OPEN;
        if (!rank_threads(proc, pipe, &h.rank) && !(open_too && has_open(proc, pipe)))
            continue;
        h.uid = real_uid(proc);
        out[n++] = h;
    }
    if (dir)
        closedir(dir);
    from = 0;
    return n;
}
