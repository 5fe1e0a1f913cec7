#include "cron/cron.h"

#include <stdlib.h>
#include <time.h>

#include "base/unit.h"

static int64_t seconds(const char *utc)
{
    struct tm tm = { 0 };
    const char *end = strptime(utc, "%Y-%m-%d %H:%M:%S", &tm);
    if (!end) {
        tm = (struct tm){ 0 };
        end = strptime(utc, "%Y-%m-%d %H:%M", &tm);
    }
    check(end && !*end);
    return timegm(&tm);
}

static const char *shown(int64_t s)
{
    static char out[32];
    struct tm tm;
    time_t t = s;
    gmtime_r(&t, &tm);
    strftime(out, sizeof(out), tm.tm_sec ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &tm);
    return out;
}

static const char *next(const char *expr, const char *after)
{
    struct cron c;
    struct err e;
    own_zone z = NULL;
    check_int(cron_parse(expr, &c, &e), 0);
    check_int(zone_load(c.zone[0] ? c.zone : "UTC", &z, &e), 0);
    return shown(cron_next(&c, z, seconds(after)));
}

/* In UTC. */
static const struct {
    const char *expr, *after, *want;
} rows[] = {
    { "*/5 * * * *", "2024-02-29 23:58", "2024-03-01 00:00" },
    { "*/5 * * * *", "2024-02-29 23:55", "2024-03-01 00:00" },
    { "*/5 * * * *", "2024-02-29 23:54:59", "2024-02-29 23:55" },
    { "0 9 * * 1", "2024-01-01 09:00", "2024-01-08 09:00" },
    { "0 9 * * MON-fri", "2024-01-05 09:00", "2024-01-08 09:00" },
    { "0 0 * * 0", "2024-01-01 00:00", "2024-01-07 00:00" },
    { "0 0 * * 7", "2024-01-01 00:00", "2024-01-07 00:00" },
    { "0 0 * * sat-sun", "2024-01-01 00:00", "2024-01-06 00:00" },
    { "0 0 * * 5-7", "2024-01-06 00:00", "2024-01-07 00:00" },
    { "0 0 31 * *", "2024-01-31 00:00", "2024-03-31 00:00" },
    { "0 0 L * *", "2024-02-01 00:00", "2024-02-29 00:00" },
    { "0 0 L * *", "2023-02-01 00:00", "2023-02-28 00:00" },
    { "0 0 l,15 * *", "2024-02-01 00:00", "2024-02-15 00:00" },
    { "0 0 L 4,6 *", "2024-04-30 00:00", "2024-06-30 00:00" },
    { "0 0 29 2 *", "2024-02-29 00:00", "2028-02-29 00:00" },
    { "0 0 29 2 *", "2096-02-29 00:00", "2104-02-29 00:00" },
    { "0 0 29 2 */6", "2000-03-01 00:00", "2004-02-29 00:00" }, /* a Sunday; the next: */
    { "0 0 29 2 */6", "2004-03-01 00:00", "2020-02-29 00:00" }, /* a Saturday */
    { "30 4 1,15 jan,jul *", "2024-01-15 04:30", "2024-07-01 04:30" },
    { "5/15 * * * *", "2024-01-01 00:05", "2024-01-01 00:20" },
    { "10-30/10 8-18/2 * * *", "2024-01-01 08:30", "2024-01-01 10:10" },
    { "0,30 23 31 12 ?", "2024-12-31 23:00", "2024-12-31 23:30" },
    { "15 30 4 * * *", "2024-01-01 04:30:14", "2024-01-01 04:30:15" },
    { "15 30 4 * * *", "2024-01-01 04:30:15", "2024-01-02 04:30:15" },
    { "*/20 59 23 31 12 *", "2024-12-31 23:59:40", "2025-12-31 23:59" },
    { "@hourly", "2024-01-01 00:00", "2024-01-01 01:00" },
    { "@daily", "2024-01-01 00:00", "2024-01-02 00:00" },
    { "@Midnight", "2024-01-01 00:00", "2024-01-02 00:00" },
    { "@weekly", "2024-01-01 00:00", "2024-01-07 00:00" },
    { "@monthly", "2024-01-01 00:00", "2024-02-01 00:00" },
    { "@yearly", "2024-01-01 00:00", "2025-01-01 00:00" },
    { "@annually", "2024-01-01 00:00", "2025-01-01 00:00" },
    { "  1\t2  3 4   * ", "2024-01-01 00:00", "2024-04-03 02:01" },
    { "0 0 1 1 *", "1969-12-31 23:59:59", "1970-01-01 00:00" },
    { "0 0 1 1 *", "1960-05-05 00:00", "1961-01-01 00:00" },
    /* Either day will do, when neither field begins with a star. */
    { "0 0 13 * 5", "2024-09-06 00:00", "2024-09-13 00:00" },
    { "0 0 13 * 5", "2024-09-13 00:00", "2024-09-20 00:00" },
    { "0 0 13 * 5", "2024-10-11 00:00", "2024-10-13 00:00" },
    /* ... and both are needed when one does (croniter has these differently: a stepped star and a range that
     * covers everything are no restriction and all of them to it). */
    { "0 0 */2 * 1", "2024-01-01 00:00", "2024-01-15 00:00" },
    { "0 0 13 * */5", "2024-01-01 00:00", "2024-09-13 00:00" }, /* Sundays and Fridays */
    { "0 0 1-31 * 1", "2024-01-02 00:00", "2024-01-03 00:00" },
    { "0 0 1 * 0-6", "2024-01-02 00:00", "2024-01-03 00:00" },
    { "0 0 ? * 1", "2024-01-02 00:00", "2024-01-08 00:00" },
    { "0 0 * * 1/5", "2024-01-01 00:00", "2024-01-06 00:00" }, /* Mondays and Saturdays */
    /* croniter skips the first of a month behind a shorter one here. */
    { "0 0 1,30 * *", "2023-02-16 00:00", "2023-03-01 00:00" },
};

TEST(next)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        check_text(next(rows[i].expr, rows[i].after), rows[i].want);
    }
}

/* Instants in UTC. Berlin: 02:00 +01 becomes 03:00 +02 on 2024-03-31 at 01:00 UTC; 03:00 +02 becomes 02:00
 * +01 on 2024-10-27 at 01:00 UTC. Lord Howe moves by half an hour; Samoa left 2011-12-30 out; New York
 * changes at 02:00. */
static const struct {
    const char *expr, *after, *want;
} clock_changes[] = {
    { "TZ=Europe/Berlin 30 2 * * *", "2024-03-30 01:30", "2024-03-31 01:00" }, /* 02:30 is skipped: 03:00 */
    { "TZ=Europe/Berlin 30 2 * * *", "2024-03-31 01:00", "2024-04-01 00:30" },
    { "TZ=Europe/Berlin 0 3 * * *", "2024-03-30 02:00", "2024-03-31 01:00" },
    { "TZ=Europe/Berlin */20 2 * * *", "2024-03-30 01:40", "2024-03-31 01:00" }, /* three of them: once */
    { "TZ=Europe/Berlin */20 2 * * *", "2024-03-31 01:00", "2024-04-01 00:00" },
    { "TZ=Europe/Berlin */20 * * * *", "2024-03-31 00:40", "2024-03-31 01:00" },
    { "TZ=Europe/Berlin */20 * * * *", "2024-03-31 01:00", "2024-03-31 01:20" },
    { "TZ=Europe/Berlin 7 * * * *", "2024-03-31 00:07", "2024-03-31 01:00" },
    { "TZ=Europe/Berlin 7 * * * *", "2024-03-31 01:00", "2024-03-31 01:07" },
    { "TZ=Europe/Berlin 30 2 * * *", "2024-10-26 00:30", "2024-10-27 00:30" }, /* 02:30 +02, the first */
    { "TZ=Europe/Berlin 30 2 * * *", "2024-10-27 00:30", "2024-10-28 01:30" },
    { "TZ=Europe/Berlin 30 2 * * *", "2024-10-27 00:29:59", "2024-10-27 00:30" },
    { "TZ=Europe/Berlin 30 2 * * *", "2024-10-27 01:10", "2024-10-28 01:30" },   /* 02:10 +01, the second */
    { "TZ=Europe/Berlin */20 * * * *", "2024-10-27 00:40", "2024-10-27 02:00" }, /* the hour runs once */
    { "TZ=Europe/Berlin * * * * * *", "2024-10-27 00:59:59", "2024-10-27 02:00" },
    { "TZ=Europe/Berlin 0 3 * * *", "2024-10-27 00:00", "2024-10-27 02:00" },
    { "TZ=Europe/Berlin 30 2 31 3 *", "2024-01-01 00:00", "2024-03-31 01:00" },
    { "TZ=America/New_York 30 2 * * *", "2024-03-09 07:30", "2024-03-10 07:00" },
    { "TZ=America/New_York 30 1 * * *", "2024-11-02 05:30", "2024-11-03 05:30" },
    { "TZ=America/New_York 30 1 * * *", "2024-11-03 05:30", "2024-11-04 06:30" },
    { "TZ=Australia/Lord_Howe 15 2 * * *", "2024-10-05 00:00", "2024-10-05 15:30" },
    { "TZ=Australia/Lord_Howe 45 1 * * *", "2024-04-06 00:00", "2024-04-06 14:45" },
    { "TZ=Australia/Lord_Howe 45 1 * * *", "2024-04-06 14:45", "2024-04-07 15:15" },
    { "TZ=Pacific/Apia 0 12 30 12 *", "2011-12-01 00:00", "2011-12-30 10:00" },
    { "TZ=Asia/Kolkata 0 0 * * *", "2024-01-01 00:00", "2024-01-01 18:30" },
    { "TZ=UTC 0 0 * * *", "2024-01-01 00:00", "2024-01-02 00:00" },
    { "TZ=Europe/Berlin 30 2 * * *", "2150-03-28 02:00", "2150-03-29 01:00" }, /* behind the file's table */
};

TEST(clock_changes)
{
    for (size_t i = 0; i < ARRAY_LEN(clock_changes); i++) {
        check_row(i);
        check_text(next(clock_changes[i].expr, clock_changes[i].after), clock_changes[i].want);
    }
}

static const struct {
    const char *expr, *why;
} refused[] = {
    { "", "got 0" },
    { "* * * *", "got 4" },
    { "* * * * * * *", "got 7" },
    { "60 * * * *", "minute `60`: a number from 0 to 59" },
    { "* 24 * * *", "hour `24`" },
    { "* * 0 * *", "day of month `0`" },
    { "* * 32 * *", "day of month `32`" },
    { "* * * 0 *", "month `0`" },
    { "* * * 13 *", "month `13`" },
    { "* * * * 8", "day of week `8`" },
    { "60 * * * * *", "second `60`" },
    { "99999999999999999999 * * * *", "minute" },
    { "-1 * * * *", "minute `-1`" },
    { "5- * * * *", "minute `5-`" },
    { "5-3 * * * *", "runs backwards" },
    { "* * * * fri-mon", "runs backwards" },
    { "*/0 * * * *", "goes nowhere" },
    { "*/90 * * * *", "only ever be 0" },
    { "*/ * * * *", "behind /" },
    { "*/x * * * *", "behind /" },
    { "1-10/20 * * * *", "only ever be 1" },
    { "* * * * 2/5", "only ever be 2" }, /* to croniter there is a day 7 beside 0 */
    { "1,,2 * * * *", "missing in the list" },
    { "1, * * * *", "missing in the list" },
    { ", * * * *", "missing in the list" },
    { "1.5 * * * *", "not understood" },
    { "** * * * *", "not understood" },
    { "1-2-3 * * * *", "not understood" },
    { "? * * * *", "? is for the two day fields" },
    { "L * * * *", "minute `L`" },
    { "* * L-3 * *", "nothing may follow L" },
    { "* * * * 5L", "day of week `5L`" },
    { "* * * * 5#3", "not understood" },
    { "* * 15W * *", "day of month `15W`" },
    { "* * * foo *", "or a name (jan, feb ...)" },
    { "* * * january *", "or a name" },
    { "0 0 31 2 *", "never fire" },
    { "0 0 30 2 *", "never fire" },
    { "0 0 31 2,4,6,9,11 *", "never fire" },
    { "@reboot", "@reboot is not a time" },
    { "@fortnightly", "no macro" },
    { "TZ= * * * * *", "TZ=Area/City is expected" },
    { "TZ=UTC", "got 0" },
};

TEST(refused)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct cron c;
        struct err e;
        check_row(i);
        check_int(cron_parse(refused[i].expr, &c, &e), -1);
        check_contains(e.text, refused[i].why);
        check_int(e.code, ERR_CONFIG);
    }
}

TEST(hints)
{
    struct cron c;
    struct err e;
    check_int(cron_parse("@dayly", &c, &e), -1);
    check_text(e.hint, "did you mean @daily?");
    own_zone z = NULL;
    check_int(zone_load("Europe/Berln", &z, &e), -1);
    check_text(e.text, "no time zone `Europe/Berln` in /usr/share/zoneinfo");
    check_text(e.hint, "did you mean Europe/Berlin?");
    check_int(zone_load("../../../etc/localtime", &z, &e), -1);
    check_int(zone_load("/etc/localtime", &z, &e), -1);
}

/* The 31st of a month with a day of the week: the second alone can fit. */
TEST(impossible_day_beside_a_possible_weekday)
{
    check_text(next("0 0 31 2 1", "2024-01-01 00:00"), "2024-02-05 00:00");
}

UNIT_MAIN()
