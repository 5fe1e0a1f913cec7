#include "os/limits.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/def.h"
#include "os/proctag.h"

static const struct {
    const char *name;
    int resource;
} kinds[] = {
    { "nofile", RLIMIT_NOFILE },
    { "core", RLIMIT_CORE },
    { "cpu", RLIMIT_CPU },
    { "data", RLIMIT_DATA },
    { "fsize", RLIMIT_FSIZE },
    { "stack", RLIMIT_STACK },
    { "as", RLIMIT_AS },
#ifdef RLIMIT_MEMLOCK
    { "memlock", RLIMIT_MEMLOCK },
    { "nproc", RLIMIT_NPROC },
#endif
#if defined RLIMIT_RSS && RLIMIT_RSS != RLIMIT_AS
    { "rss", RLIMIT_RSS },
#endif
#ifdef RLIMIT_LOCKS
    { "locks", RLIMIT_LOCKS },
    { "sigpending", RLIMIT_SIGPENDING },
    { "msgqueue", RLIMIT_MSGQUEUE },
    { "nice", RLIMIT_NICE },
    { "rtprio", RLIMIT_RTPRIO },
    { "rttime", RLIMIT_RTTIME },
#endif
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) <= OS_LIMITS_MOST, "os_limits has room for them");

size_t os_limits_len(void)
{
    return ARRAY_LEN(kinds);
}

const char *os_limit_name(size_t i)
{
    return kinds[i].name;
}

int os_limit_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return (int)i;
    return -1;
}

int os_limit_nofile(void)
{
    return 0;
}

static int64_t as_number(rlim_t r)
{
    return r == RLIM_INFINITY || r > INT64_MAX ? OS_LIMIT_NONE : (int64_t)r;
}

static rlim_t as_rlim(int64_t n)
{
    return n < 0 ? RLIM_INFINITY : (rlim_t)n;
}

void os_limits_read(struct os_limits *out)
{
    struct rlimit r;
    *out = (struct os_limits){ 0 };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (getrlimit(kinds[i].resource, &r) == 0)
            out->of[i] = (struct os_limit){ true, as_number(r.rlim_cur), as_number(r.rlim_max) };
    errno = 0;
    out->priority = getpriority(PRIO_PROCESS, 0);
    out->has_priority = errno == 0;
}

void os_limits_apply(const struct os_limits *l)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct rlimit now, wish = { as_rlim(l->of[i].soft), as_rlim(l->of[i].hard) };
        if (!l->of[i].set)
            continue;
        if (os_proctag_is_part(wish.rlim_max) ||
            (getrlimit(kinds[i].resource, &now) == 0 && os_proctag_is_part(now.rlim_max)))
            continue; /* what tells the processes of one app from those of another: never passed on, never
                         lost */
        wish.rlim_max = MAX(wish.rlim_max, wish.rlim_cur);
        if (setrlimit(kinds[i].resource, &wish) == 0 || getrlimit(kinds[i].resource, &now) < 0)
            continue;
        wish.rlim_max = MIN(wish.rlim_max, now.rlim_max);
        wish.rlim_cur = MIN(wish.rlim_cur, wish.rlim_max);
        setrlimit(kinds[i].resource, &wish);
    }
    if (l->has_priority)
        setpriority(PRIO_PROCESS, 0, l->priority);
}

bool os_limits_beyond(const struct os_limits *l, size_t *i)
{
    struct rlimit now;
    for (; !os_may_raise_limits() && *i < ARRAY_LEN(kinds); (*i)++)
        if (l->of[*i].set && getrlimit(kinds[*i].resource, &now) == 0 &&
            as_rlim(l->of[*i].hard) > now.rlim_max)
            return true;
    return false;
}
