#include "cron/due.h"

#include "base/log.h"

enum { MISSED_MOST = 1000 };

/* The zone is read each time: it is a small file, and the system's administrator may have replaced it. */
int64_t due_after(const struct cron *c, int64_t wall_ms)
{
    struct err e;
    own_zone z = NULL;
    if (cron_zone(c, &z, &e) < 0) { /* it was there when the expression was taken */
        log_warn("%s: taken as UTC", e.text);
        z = zone_from_rule("UTC0");
    }
    return cron_next(c, z, wall_ms / 1000 - (wall_ms % 1000 < 0)) * 1000;
}

static void go_on(struct due *d, const struct cron *c, int64_t now_ms)
{
    bool fired = d->last > now_ms && d->last - now_ms <= DUE_BACK_MS;
    d->at = due_after(c, fired ? d->last : now_ms);
}

void due_begin(struct due *d, const struct cron *c, int64_t now_ms)
{
    *d = (struct due){ 0 };
    go_on(d, c, now_ms);
}

static int count(const struct due *d, const struct cron *c, int64_t now_ms)
{
    int n = 0;
    for (int64_t at = d->at; at <= now_ms && n < MISSED_MOST; n++)
        at = due_after(c, at);
    return n;
}

enum due_answer due_look(struct due *d, const struct cron *c, int64_t now_ms, bool clock_set, int *missed)
{
    enum due_answer answer = DUE_NOT;
    *missed = 0;
    if (d->at <= now_ms) {
        answer = now_ms - d->at > DUE_LATE_MS ? DUE_MISSED : DUE_NOW;
        if (answer == DUE_MISSED)
            *missed = count(d, c, now_ms);
        d->last = d->at;
    }
    if (answer != DUE_NOT || clock_set)
        go_on(d, c, now_ms);
    return answer;
}
