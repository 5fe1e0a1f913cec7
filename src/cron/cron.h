/* src/cron/cron.h: cron expressions: what they mean, and when they fire next. Pure, but for the zone.
 *
 * Five fields (minute, hour, day of month, month, day of week), or six with seconds first; lists, ranges,
 * steps, names, `?`, `L` (the last day of a month), @hourly ... @yearly; a leading `TZ=Area/City`. When
 * neither day field begins with `*` (or is `?`), a day that fits one of them is enough (Vixie's rule). A time
 * the clock skips fires once, right after the gap; one it shows twice fires the first time. */
#pragma once
#include "cron/zone.h"

enum { CRON_ZONE = 64 };
struct cron {
    uint64_t second, minute; /* a bit per value */
    uint32_t hour, day, month;
    uint8_t weekday;
    bool last_day;             /* L */
    bool any_day, any_weekday; /* the field began with `*` */
    char zone[CRON_ZONE];      /* "": the host's */
};

/* An expression that can never fire is an error too. The zone's name is looked up by cron_zone() alone. */
must_check int cron_parse(const char *text, struct cron *out, struct err *e);
must_check int cron_zone(const struct cron *c, struct zone **out, struct err *e);

/* The first time behind `after`; seconds since 1970. There always is one. */
int64_t cron_next(const struct cron *c, const struct zone *z, int64_t after);
