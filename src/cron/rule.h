/* src/cron/rule.h: a POSIX TZ rule, "CET-1CEST,M3.5.0,M10.5.0/3": what holds behind the last change that a
 * zone's file lists. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct rule_day {
    enum { RULE_JULIAN, RULE_YEARDAY, RULE_WEEKDAY } kind; /* J60 (no leap day), 59, M3.2.0 */
    int day, month, week;
    int time; /* seconds from midnight, of the wall */
};
struct rule {
    char name[2][16];
    int offset[2]; /* seconds east of UTC: standard, daylight */
    bool has_dst;
    struct rule_day change[2]; /* [1]: to daylight; [0]: back */
};
bool rule_parse(const char *text, struct rule *out); /* false: it is none */

/* What holds at an instant (0 standard, 1 daylight), and the next change behind it. */
int rule_at(const struct rule *r, int64_t instant, int64_t *change);
