/* src/cron/zone.h: time zones, from the files of the system (TZif, RFC 8536). tzset(3) is not used: it
 * changes the whole process, and does not tell a time that is skipped from one that comes twice. */
#pragma once
#include <stdbool.h>

#include "base/text.h"

struct zone;

/* "Europe/Berlin" or "UTC"; NULL: the host's own, as $TZ or /etc/localtime say, UTC if neither is of use. An
 * unknown name is an error, with the nearest one there is. */
must_check int zone_load(const char *name, struct zone **out, struct err *e);
must_check int zone_parse(const char *data, size_t n, struct zone **out, struct err *e); /* a file's bytes */
struct zone *zone_from_rule(const char *posix_tz); /* "CET-1CEST,M3.5.0,M10.5.0/3"; NULL: it is none */
struct zone *zone_free(struct zone *z);            /* takes NULL, returns NULL */

/* Seconds since 1970: an instant is UTC's, a wall time is what the clock on the wall shows, read as if it
 * were UTC's. */
struct zone_time {
    int offset;     /* seconds east of UTC */
    char name[16];  /* "CEST", "+0530" */
    int64_t change; /* when this ends; INT64_MAX: never */
};
struct zone_time zone_at(const struct zone *z, int64_t instant);

/* When the wall clock shows `wall` for the first time; in a gap, the moment after it. If the same hour comes
 * again, *again is the wall time at which what comes twice is over; else it is `wall`. */
int64_t zone_instant(const struct zone *z, int64_t wall, int64_t *again);

void zone_cleanup(struct zone **z);
#define own_zone __attribute__((cleanup(zone_cleanup))) struct zone *
