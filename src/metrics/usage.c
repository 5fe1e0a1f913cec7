#include "metrics/usage.h"

#include <stdlib.h>

#include "base/mem.h"

static int by_pid(const void *a, const void *b)
{
    pid_t x = ((const struct usage_seen *)a)->pid, y = ((const struct usage_seen *)b)->pid;
    return (x > y) - (x < y);
}

static uint64_t since_last(const struct usage *u, const struct proc_info *p)
{
    struct usage_seen key = { .pid = p->pid };
    const struct usage_seen *was = u->n ? bsearch(&key, u->seen, u->n, sizeof(key), by_pid) : NULL;
    bool same = was && was->start == p->start && was->cpu <= p->cpu;
    return p->cpu - (same ? was->cpu : 0);
}

void usage_look(struct usage *u, const struct proc_info *const *processes, size_t n, pid_t main_pid,
                int64_t now, long ticks_per_second)
{
    struct usage_seen *seen = xcalloc(n, sizeof(*seen));
    uint64_t ticks = 0;
    u->memory = u->main_memory = 0;
    for (size_t i = 0; i < n; i++) {
        const struct proc_info *p = processes[i];
        ticks += since_last(u, p);
        u->memory += p->rss;
        if (p->pid == main_pid)
            u->main_memory = p->rss;
        seen[i] = (struct usage_seen){ p->pid, p->start, p->cpu };
    }
    qsort(seen, n, sizeof(*seen), by_pid);
    bool first = u->at == 0 || now <= u->at;
    u->percent = first ? -1 : (double)ticks * 100000.0 / (double)ticks_per_second / (double)(now - u->at);
    free(u->seen);
    u->seen = seen;
    u->n = u->processes = (unsigned)n;
    u->at = now;
}

void usage_forget(struct usage *u)
{
    free(u->seen);
    *u = (struct usage){ .percent = -1 };
}
