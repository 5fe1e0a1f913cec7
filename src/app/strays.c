#include "app/strays.h"

#include <stdlib.h>

enum { LOOK_MOST = 256 };

struct stray {
    pid_t pid;
    uint64_t start;
    int64_t owner;
    bool seen; /* in this pass */
};

static struct stray *find(const struct strays *s, const struct proc_info *p)
{
    struct stray *known = map_get(&s->by_pid, (uint64_t)p->pid);
    return known && known->start == p->start ? known : NULL;
}

int64_t strays_owner(const struct strays *s, const struct proc_info *p)
{
    const struct stray *known = find(s, p);
    return known ? known->owner : -1;
}

static bool is_within(const struct proc_info *p, const struct instance *owner)
{
    return owner->pid && (p->pid == owner->pid || p->session == owner->pid || p->pgrp == owner->pid);
}

void strays_note(struct strays *s, const struct proc_info *p, const struct instance *owner)
{
    if (is_within(p, owner))
        return;
    struct stray *known = map_get(&s->by_pid, (uint64_t)p->pid);
    if (!known) {
        known = xnew(struct stray);
        map_put(&s->by_pid, (uint64_t)p->pid, known);
    }
    *known = (struct stray){ p->pid, p->start, owner->id, true };
}

void strays_seen_all(struct strays *s)
{
    struct map was = s->by_pid;
    s->by_pid = (struct map){ 0 };
    for (size_t i = 0; i < was.cap; i++) {
        struct stray *known = was.slots[i].key ? was.slots[i].value : NULL;
        if (known && known->seen) {
            known->seen = false;
            map_put(&s->by_pid, (uint64_t)known->pid, known);
        } else {
            free(known);
        }
    }
    map_done(&was);
}

void strays_done(struct strays *s)
{
    for (size_t i = 0; i < s->by_pid.cap; i++)
        if (s->by_pid.slots[i].key)
            free(s->by_pid.slots[i].value);
    map_done(&s->by_pid);
}

bool strays_look(const struct instance *in)
{
    struct strays *s = &in->app->world->strays;
    pid_t todo[LOOK_MOST] = { in->pid };
    size_t n = in->pid && in->app->spec->treekill, looked = 0;
    bool outside = false;
    for (size_t i = 0; i < n && looked < LOOK_MOST; i++) {
        pid_t *children;
        ssize_t count = procstat_children(todo[i], &children);
        for (ssize_t k = 0; k < count && looked < LOOK_MOST; k++, looked++) {
            struct proc_info p;
            if (!procstat_read(children[k], &p) || p.ppid != todo[i])
                continue;
            outside |= p.pgrp != in->pid;
            strays_note(s, &p, in);
            if (n < LOOK_MOST)
                todo[n++] = p.pid;
        }
        if (count >= 0)
            free(children);
        outside |= count < 0; /* it cannot be told */
    }
    return outside || looked == LOOK_MOST;
}
