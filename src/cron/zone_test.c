#include "cron/zone.h"

#include <stdlib.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "base/unit.h"
#include "cron/rule.h"

TEST(calendar)
{
    check_int(calendar_days(1970, 1, 1), 0);
    check_int(calendar_days(2000, 3, 1), 11017);
    check_int(calendar_days(1969, 12, 31), -1);
    check_int(calendar_weekday(0), 4);
    check_int(calendar_weekday(-5), 6);
    for (int64_t d = -200000; d < 200000; d += 7) {
        struct date at = calendar_date(d);
        check_int(calendar_days(at.year, at.month, at.day), d);
        check(at.day >= 1 && at.day <= calendar_month_length(at.year, at.month));
    }
}

static const struct {
    const char *text;
    bool good;
    int standard, daylight;
} rules[] = {
    { "UTC0", true, 0, 0 },
    { "CET-1CEST,M3.5.0,M10.5.0/3", true, 3600, 7200 },
    { "<+0330>-3:30", true, 12600, 0 },
    { "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", true, -10800, -7200 },
    { "IST-2IDT,M3.4.4/26,M10.5.0", true, 7200, 10800 },
    { "EST5EDT4,J60,300/1:30:15", true, -18000, -14400 },
    { "", false, 0, 0 },
    { "UT0", false, 0, 0 },
    { "UTC", false, 0, 0 },
    { "UTC0 ", false, 0, 0 },
    { "<+03", false, 0, 0 },
    { "CET-1CEST", false, 0, 0 },
    { "CET-1CEST,M13.5.0,M10.5.0", false, 0, 0 },
    { "CET-1CEST,M3.6.0,M10.5.0", false, 0, 0 },
    { "CET-1CEST,M3.5.7,M10.5.0", false, 0, 0 },
    { "CET-1CEST,M3.5.0", false, 0, 0 },
    { "CET-1CEST,M3", false, 0, 0 },
    { "CET-200", false, 0, 0 },
};

TEST(rules)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct rule r;
        check_row(i);
        check_int(rule_parse(rules[i].text, &r), rules[i].good);
        if (!rules[i].good)
            continue;
        check_int(r.offset[0], rules[i].standard);
        check_int(r.offset[1], rules[i].daylight);
    }
}

static int64_t at(int64_t year, int month, int day, int hour)
{
    return calendar_days(year, month, day) * DAY + hour * 3600;
}

TEST(berlin)
{
    own_zone z = zone_from_rule("CET-1CEST,M3.5.0,M10.5.0/3");
    int64_t again;
    check_int(zone_at(z, at(2024, 3, 31, 0)).offset, 3600);
    check_int(zone_at(z, at(2024, 3, 31, 0)).change, at(2024, 3, 31, 1));
    check_int(zone_at(z, at(2024, 3, 31, 1)).offset, 7200);
    check_text(zone_at(z, at(2024, 3, 31, 1)).name, "CEST");
    check_int(zone_at(z, at(2024, 3, 31, 1)).change, at(2024, 10, 27, 1));
    check_int(zone_instant(z, at(2024, 3, 31, 2) + 1800, &again), at(2024, 3, 31, 1)); /* skipped */
    check_int(zone_instant(z, at(2024, 10, 27, 2), &again), at(2024, 10, 27, 0));      /* twice */
    check_int(again, at(2024, 10, 27, 3));
    check_int(zone_instant(z, at(2024, 10, 27, 3), &again), at(2024, 10, 27, 2));
    check_int(again, at(2024, 10, 27, 3));
}

TEST(south)
{
    own_zone z = zone_from_rule("AEST-10AEDT,M10.1.0,M4.1.0/3");
    check_text(zone_at(z, at(2024, 1, 1, 0)).name, "AEDT");
    check_text(zone_at(z, at(2024, 7, 1, 0)).name, "AEST");
    check_text(zone_at(z, at(2024, 12, 31, 23)).name, "AEDT");
}

TEST(leap_days_of_rules)
{
    struct rule r;
    int64_t change;
    check(rule_parse("AAA0BBB,J60/0,J300/0", &r)); /* always March 1 */
    rule_at(&r, at(2024, 1, 1, 0), &change);
    check_int(change, at(2024, 3, 1, 0));
    check(rule_parse("AAA0BBB,59/0,300/0", &r)); /* the 60th day */
    rule_at(&r, at(2024, 1, 1, 0), &change);
    check_int(change, at(2024, 2, 29, 0));
}

TEST(files_that_are_none)
{
    static const char *const texts[] = { "", "TZif", "TZif2",
                                         "no zone at all, but long enough for a whole header of one" };
    struct zone *z;
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        check_int(zone_parse(texts[i], strlen(texts[i]), &z, &e), -1);
}

TEST(host)
{
    struct err e;
    static const struct {
        const char *tz;
        int offset;
    } hosts[] = { { "CET-1", 3600 },
                  { ":Asia/Kolkata", 19800 },
                  { "Asia/Kolkata", 19800 },
                  { "/usr/share/zoneinfo/Asia/Kolkata", 19800 },
                  { "", 0 },
                  { "Nowhere/AtAll", 0 } };
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        own_zone z = NULL;
        check_row(i);
        setenv("TZ", hosts[i].tz, 1);
        check_int(zone_load(NULL, &z, &e), 0);
        check_int(zone_at(z, 1700000000).offset, hosts[i].offset);
    }
}

UNIT_MAIN()
