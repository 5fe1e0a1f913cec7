/* Process 1 has what the kernel or the container gave it; systemd raises two of its own limits only. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "os/limits.h"

/* As /proc/PID/limits calls them; anybody may read that file, where prlimit(2) wants rights over process 1.
 */
static const struct {
    const char *name, *line;
} lines[] = {
    { "cpu", "Max cpu time" },
    { "fsize", "Max file size" },
    { "data", "Max data size" },
    { "stack", "Max stack size" },
    { "core", "Max core file size" },
    { "rss", "Max resident set" },
    { "nproc", "Max processes" },
    { "nofile", "Max open files" },
    { "memlock", "Max locked memory" },
    { "as", "Max address space" },
    { "locks", "Max file locks" },
    { "sigpending", "Max pending signals" },
    { "msgqueue", "Max msgqueue size" },
    { "nice", "Max nice priority" },
    { "rtprio", "Max realtime priority" },
    { "rttime", "Max realtime timeout" },
};

static int64_t read_number(const char **p)
{
    char *end;
    *p += strspn(*p, " ");
    if (strncmp(*p, "unlimited", 9) == 0) {
        *p += 9;
        return OS_LIMIT_NONE;
    }
    long long n = strtoll(*p, &end, 10);
    *p = end;
    return n;
}

void os_limits_of_system(struct os_limits *out)
{
    struct err ignored;
    own_text text = NULL;
    *out = (struct os_limits){ 0 };
    if (file_read("/proc/1/limits", 16 << 10, &text, NULL, &ignored) < 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        const char *p = strstr(text, lines[i].line);
        int kind = os_limit_find(lines[i].name);
        if (!p || kind < 0)
            continue;
        p += strlen(lines[i].line);
        out->of[kind].soft = read_number(&p);
        out->of[kind].hard = read_number(&p);
        out->of[kind].set = true;
    }
}

/* A container's root may lack the right. */
bool os_may_raise_limits(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    return syscall(SYS_capget, &head, data) == 0 && data[0].effective & 1u << CAP_SYS_RESOURCE;
}

enum { IOPRIO_WHO_PROCESS_ = 1 };

void os_reset_process(void)
{
    static const struct sched_param plain = { 0 };
    static const cpu_set_t all = { { [0 ... sizeof(cpu_set_t) / sizeof(__cpu_mask) - 1] = (__cpu_mask)-1 } };
    sched_setscheduler(0, SCHED_OTHER, &plain);
    setpriority(PRIO_PROCESS, 0, 0);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS_, 0, 0);
    sched_setaffinity(0, sizeof(all), &all);
    syscall(SYS_set_mempolicy, 0, NULL, 0);
    prctl(PR_SET_TIMERSLACK, 0);
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    personality(PER_LINUX);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "0", 1) != 1) {
        /* lower than it was: not ours to choose */
    }
    close(fd);
}
