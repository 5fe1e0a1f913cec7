/* src/os/limits.h: what a process may use (setrlimit(2)) and its priority: of whoever starts an app, for the
 * app; and what the system gives a process that nobody has limited, for the daemon. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { OS_LIMITS_MOST = 24, OS_LIMIT_NONE = -1 };
struct os_limits {
    struct os_limit {
        bool set;
        int64_t soft, hard; /* OS_LIMIT_NONE: unlimited */
    } of[OS_LIMITS_MOST];
    bool has_priority;
    int priority; /* "nice" */
};

size_t os_limits_len(void);                 /* how many kinds this system has */
const char *os_limit_name(size_t i);        /* as prlimit(1) calls it: "nofile" */
int os_limit_find(const char *name);        /* -1: this system has none of that name */
int os_limit_nofile(void);                  /* which one is "nofile" */
void os_limits_read(struct os_limits *out); /* our own */

/* All that are set, as far as we may: without the right to raise a hard limit, up to the one there is. Only
 * async-signal-safe calls. */
void os_limits_apply(const struct os_limits *l);
/* Which hard limit we could not give a child, the first from *i on; false: none. */
bool os_limits_beyond(const struct os_limits *l, size_t *i);

bool os_may_raise_limits(void); /* the hard ones */

/* What a process has that nobody has limited (process 1's; as far as we may look). */
void os_limits_of_system(struct os_limits *out);

/* Our priority, scheduling, processors, and what else a child inherits and nobody means a daemon to have,
 * back to the system's defaults, as far as we may. Only async-signal-safe calls. */
void os_reset_process(void);
