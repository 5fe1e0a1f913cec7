/* Compiled in CI, not run there. libproc tells of our own user's processes all we ask; of others' (without
 * root) neither memory nor time, which then are 0. A "tick" is a microsecond, and `start` counts them since
 * 1970. */
#include "os/procstat.h"

#include <errno.h>
#include <libproc.h>
#include <mach/mach_time.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/proc.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "base/mem.h"

enum { TICKS = 1000000 };

long procstat_ticks_per_second(void)
{
    return TICKS;
}

/* Times of proc_pid_rusage() are in the units of mach_absolute_time(): 1 ns on Intel, 125/3 ns on Apple's
 * own. */
static uint64_t ticks_of(uint64_t mach_time)
{
    static mach_timebase_info_data_t base;
    if (!base.denom)
        mach_timebase_info(&base);
    return (uint64_t)((__uint128_t)mach_time * base.numer / base.denom / 1000);
}

bool procstat_read(pid_t pid, struct proc_info *out)
{
    enum { ZOMBIES_TOO = 1 };
    struct proc_bsdinfo b;
    struct rusage_info_v2 use;
    if (proc_pidinfo(pid, PROC_PIDTBSDINFO, ZOMBIES_TOO, &b, sizeof(b)) != sizeof(b))
        return false;
    pid_t session = getsid(pid);
    *out = (struct proc_info){
        .pid = pid,
        .ppid = (pid_t)b.pbi_ppid,
        .pgrp = (pid_t)b.pbi_pgid,
        .session = session < 0 ? 0 : session,
        .state = b.pbi_status == SZOMB   ? 'Z'
                 : b.pbi_status == SSTOP ? 'T'
                                         : 'R',
        .executed = true,
        .start = b.pbi_start_tvsec * TICKS + b.pbi_start_tvusec,
        .exit_status = b.pbi_status == SZOMB ? (int)b.pbi_xstatus : 0,
    };
    if (proc_pid_rusage(pid, RUSAGE_INFO_V2, (rusage_info_t *)(void *)&use) == 0) {
        out->cpu = ticks_of(use.ri_user_time + use.ri_system_time);
        out->rss = use.ri_resident_size;
    }
    return true;
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
    enum { BORN_MEANWHILE = 64 };
    *vanished = 0;
    int n = proc_listallpids(NULL, 0);
    if (n <= 0)
        return -1;
    size_t cap = (size_t)n + BORN_MEANWHILE;
    pid_t *pids = xcalloc(cap, sizeof(*pids));
    n = proc_listallpids(pids, (int)(cap * sizeof(*pids)));
    struct proc_info *all = n > 0 ? xcalloc((size_t)n, sizeof(*all)) : NULL;
    ssize_t len = n > 0 ? 0 : -1;
    for (int i = 0; i < n; i++) {
        if (skip && skip(arg, pids[i]))
            continue;
        bool there = procstat_read(pids[i], &all[len]);
        len += there;
        *vanished += !there;
    }
    free(pids);
    *out = all;
    return len;
}

ssize_t procstat_children(pid_t pid, pid_t **out)
{
    return -1;
}

bool procstat_is_traced(pid_t pid)
{
    return false;
}

bool procstat_user(pid_t pid, uid_t *out)
{
    struct proc_bsdinfo b;
    if (proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &b, sizeof(b)) != sizeof(b))
        return false;
    *out = b.pbi_ruid;
    return true;
}

void procstat_name(pid_t pid, char out[20])
{
    char name[2 * MAXCOMLEN + 1];
    if (proc_name(pid, name, sizeof(name)) <= 0)
        snprintf(name, sizeof(name), "?");
    snprintf(out, 20, "%.15s", name);
}

/* What the process was exec'ed with: the count of its arguments, the program's path, some NULs, the
 * arguments, the environment, an empty text. Programs of the system keep their environment to themselves. */
static char *arguments_of(pid_t pid, size_t *len)
{
    int most = 0, name[] = { CTL_KERN, KERN_ARGMAX };
    size_t n = sizeof(most);
    if (sysctl(name, 2, &most, &n, NULL, 0) < 0 || most <= 0)
        return NULL;
    own_text text = xmalloc((size_t)most + 1);
    int ask[] = { CTL_KERN, KERN_PROCARGS2, pid };
    *len = (size_t)most;
    if (sysctl(ask, 3, text, len, NULL, 0) < 0 || *len < sizeof(int))
        return NULL;
    text[*len] = '\0';
    return steal(text);
}

enum procstat_env procstat_get_env(pid_t pid, const char *name, char *out, size_t size)
{
    size_t len, name_len = strlen(name);
    int args;
    own_text text = arguments_of(pid, &len);
    if (!text)
        return PROCSTAT_ENV_ABSENT; /* another user's, or the system's own */
    memcpy(&args, text, sizeof(args));
    const char *p = text + sizeof(args), *end = text + len;
    p += strlen(p);
    while (p < end && !*p)
        p++;
    for (; args > 0 && p < end; args--)
        p += strlen(p) + 1;
    for (; p < end && *p; p += strlen(p) + 1)
        if (strncmp(p, name, name_len) == 0 && p[name_len] == '=') {
            snprintf(out, size, "%s", p + name_len + 1);
            return PROCSTAT_ENV_FOUND;
        }
    return PROCSTAT_ENV_ABSENT;
}

/* Nothing holds the pid between the look and the kill; macOS hands pids out in turn, so that it is somebody
 * else's so soon takes about 100,000 births in between. */
int procstat_kill(pid_t pid, uint64_t start, int sig)
{
    struct proc_info now;
    if (!procstat_read(pid, &now) || now.start != start) {
        errno = ESRCH;
        return -1;
    }
    return kill(pid, sig);
}
