#include "os/proctag.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"

#define MASK ((UINT64_C(1) << PROCTAG_BITS) - 1)
#define BASE (UINT64_C(2) << PROCTAG_BITS) /* above what anybody would set, below "unlimited" */

void os_proctag_take(uint64_t tag)
{
    struct rlimit locks, rttime;
    if (!tag || sizeof(rlim_t) < sizeof(uint64_t) || getrlimit(RLIMIT_LOCKS, &locks) < 0 ||
        getrlimit(RLIMIT_RTTIME, &rttime) < 0 || locks.rlim_max != RLIM_INFINITY ||
        rttime.rlim_max != RLIM_INFINITY)
        return;
    locks.rlim_cur = locks.rlim_max = BASE | (tag & MASK);
    rttime.rlim_cur = rttime.rlim_max = BASE | (~tag & MASK);
    if (setrlimit(RLIMIT_LOCKS, &locks) == 0)
        setrlimit(RLIMIT_RTTIME, &rttime);
}

bool os_proctag_is_part(uint64_t hard_limit)
{
    return (hard_limit & ~MASK) == BASE;
}

/* The hard limit in the line that begins so: the second number of it. 0: there is none, or no limit. */
static uint64_t hard_limit(const char *text, const char *name)
{
    const char *p = strstr(text, name);
    char *end;
    if (!p)
        return 0;
    p += strlen(name);
    strtoull(p, &end, 10);
    return end == p ? 0 : strtoull(end, NULL, 10);
}

uint64_t os_proctag_read(pid_t pid)
{
    char path[32], text[4096];
    snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
    own_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    uint64_t locks = hard_limit(text, "\nMax file locks"),
             rttime = hard_limit(text, "\nMax realtime timeout");
    if (!os_proctag_is_part(locks) || !os_proctag_is_part(rttime) || ((locks ^ rttime) & MASK) != MASK)
        return 0;
    return locks & MASK;
}
