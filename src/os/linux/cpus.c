#include "os/cpus.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* cgroup v2: cpu.max of our group is "QUOTA PERIOD" in us, or "max PERIOD". */
static int cgroup_quota(void)
{
    struct err e;
    own_text groups = NULL;
    own_text text = NULL;
    if (file_read("/proc/self/cgroup", 1 << 16, &groups, NULL, &e) < 0)
        return 0;
    char *at = strstr(groups, "0::");
    if (!at)
        return 0;
    at[strcspn(at, "\n")] = '\0';
    own_text path = xasprintf("/sys/fs/cgroup%s/cpu.max", at + 3);
    long quota, period;
    if (file_read(path, 256, &text, NULL, &e) < 0 || sscanf(text, "%ld %ld", &quota, &period) != 2 ||
        period <= 0)
        return 0;
    return (int)MAX((quota + period - 1) / period, 1L);
}

int os_cpus(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1, quota = cgroup_quota();
    return quota && quota < n ? quota : n;
}
