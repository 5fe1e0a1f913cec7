#include "os/procstat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "os/pidfd.h"

/* Reads once: these files are made in one piece. Returns bytes or -1. */
static ssize_t slurp(pid_t pid, const char *what, char *out, size_t size)
{
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
    own_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, out, size - 1);
    if (n >= 0)
        out[n] = '\0';
    return n;
}

bool procstat_read(pid_t pid, struct proc_info *out)
{
    char text[1024];
    if (slurp(pid, "stat", text, sizeof(text)) <= 0)
        return false;
    /* The name in parentheses may hold anything, ')' and blanks too: the last one ends it. */
    const char *p = strrchr(text, ')');
    if (!p)
        return false;
    int ppid, pgrp, session;
    unsigned long long start;
    if (sscanf(p + 1, " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &out->state, &ppid, &pgrp, &session, &start) != 5)
        return false;
    out->pid = pid;
    out->ppid = ppid;
    out->pgrp = pgrp;
    out->session = session;
    out->start = start;
    return true;
}

ssize_t procstat_all(struct proc_info **out)
{
    DIR *dir = opendir("/proc");
    if (!dir)
        return -1;
    struct proc_info *all = NULL;
    size_t n = 0, cap = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        char *end;
        long pid = strtol(d->d_name, &end, 10);
        if (*end || pid <= 0)
            continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 128;
            all = xrealloc(all, cap * sizeof(*all));
        }
        n += procstat_read((pid_t)pid, &all[n]); /* may be gone since readdir */
    }
    closedir(dir);
    *out = all;
    return (ssize_t)n;
}

bool procstat_get_env(pid_t pid, const char *name, char *out, size_t size)
{
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    own_text env = NULL;
    size_t len, name_len = strlen(name);
    struct err e;
    if (file_read(path, 8 << 20, &env, &len, &e) < 0)
        return false;
    for (const char *p = env; p < env + len; p += strlen(p) + 1)
        if (strncmp(p, name, name_len) == 0 && p[name_len] == '=') {
            snprintf(out, size, "%s", p + name_len + 1);
            return true;
        }
    return false;
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
