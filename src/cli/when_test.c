#include "cli/when.h"

#include <stdlib.h>
#include <time.h>

#include "base/time.h"
#include "base/unit.h"

static const int64_t NOW = INT64_C(1795402451500000); /* 2026-11-23T02:54:11.5Z, 03:54 in Berlin */

static const struct {
    const char *text, *utc; /* NULL: refused */
} rows[] = {
    { "now", "2026-11-23T02:54:11.500Z" },
    { "10m", "2026-11-23T02:44:11.500Z" },
    { "1.5h", "2026-11-23T01:24:11.500Z" },
    { "90s", "2026-11-23T02:52:41.500Z" },
    { "2d", "2026-11-21T02:54:11.500Z" },
    { "03:00", "2026-11-23T02:00:00.000Z" },
    { "3:00:05.25", "2026-11-23T02:00:05.250Z" },
    { "14:30", "2026-11-22T13:30:00.000Z" }, /* yesterday's: today's is not there yet */
    { "today", "2026-11-22T23:00:00.000Z" },
    { "yesterday", "2026-11-21T23:00:00.000Z" },
    { "2026-11-20", "2026-11-19T23:00:00.000Z" },
    { "2026-11-20 14:30", "2026-11-20T13:30:00.000Z" },
    { "2026-07-20 14:30:01", "2026-07-20T12:30:01.000Z" }, /* summer time */
    { "2026-11-20T14:30:01.123Z", "2026-11-20T14:30:01.123Z" },
    { "2026-11-20T14:30:01+05:30", "2026-11-20T09:00:01.000Z" },
    { "2026-11-20T14:30:01-0100", "2026-11-20T15:30:01.000Z" },
    { "@1795402451", "2026-11-23T02:54:11.000Z" },
    { "@1795402451.25", "2026-11-23T02:54:11.250Z" },
    { "10", NULL },
    { "", NULL },
    { "soon", NULL },
    { "25:00", NULL },
    { "12:60", NULL },
    { "12:3x", NULL },
    { "2026-13-01", NULL },
    { "2026-11-20Z", NULL },
    { "2026-11-20 14:30 x", NULL },
    { "2026-11-20T14:30:01+05:-3", NULL },
    { "2026-11-20T14:30:01+99:00", NULL },
    { "@x", NULL },
    { "@253402300799.999", "9999-12-31T23:59:59.999Z" },
    { "@9223372036854", NULL }, /* more microseconds than fit, and more seconds */
    { "@9223372036854775807", NULL },
    { "@999999999999999999999", NULL },
    { "99999999999999999999d", NULL },
    { "-5m", NULL },
};

TEST(times)
{
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e;
        int64_t us = 0;
        char text[TIME_TEXT];
        check_row(i);
        int r = when_parse(rows[i].text, NOW, &us, &e);
        check_int(r, rows[i].utc ? 0 : -1);
        if (rows[i].utc)
            check_text(time_rfc3339(us / 1000, text), rows[i].utc);
        else
            check_int(e.code, ERR_USAGE);
    }
}

UNIT_MAIN()
