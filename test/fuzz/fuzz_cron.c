/* A cron expression, behind two bytes that choose the zone and the instant; or, when the first is 0, a time
 * zone file. What was understood fires later than it is asked, and at the same time for everybody who asks in
 * between.
 *
 *   clang -std=gnu17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -o /tmp/fuzz_cron \
 *     test/fuzz/fuzz_cron.c src/base/{err,file,mem,text}.c src/cron/{calendar,cron,rule,zone}.c &&
 *     /tmp/fuzz_cron -max_total_time=60 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cron/cron.h"
#include "cron/rule.h"

static const char *const zones[] = { "UTC0", "CET-1CEST,M3.5.0,M10.5.0/3",
                                     "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "AAA0BBB-20,J60/0,J300/0",
                                     "EST5EDT4,0/0,J365/25" };

static void try_next(const struct cron *c, const struct zone *z, int64_t after)
{
    int64_t next = cron_next(c, z, after), again;
    assert(next > after);
    assert(cron_next(c, z, next - 1) == next);
    assert(cron_next(c, z, after + (next - after) / 2) == next);
    int64_t wall = next + zone_at(z, next).offset;
    assert(zone_instant(z, wall, &again) <= next && again >= wall);
}

static void try_expression(const struct zone *z, int64_t after, const char *text)
{
    struct cron c, same;
    struct err e;
    if (cron_parse(text, &c, &e) < 0) {
        assert(e.text[0]);
        return;
    }
    assert(c.second && c.minute && c.hour && c.month && c.weekday && (c.day || c.last_day));
    own_text spaced = xasprintf("\t %s  ", text);
    int r = cron_parse(spaced, &same, &e);
    assert(r == 0 && memcmp(&c, &same, sizeof(c)) == 0);
    try_next(&c, z, after);
}

static void try_file(const char *data, size_t n)
{
    own_zone z = NULL;
    struct cron c;
    struct err e;
    if (zone_parse(data, n, &z, &e) < 0)
        return;
    int r = cron_parse("30 2 * * *", &c, &e);
    assert(r == 0);
    for (int64_t t = 0; t < 100; t++)
        try_next(&c, z, t * 31556952);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct rule rule;
    if (n < 2)
        return 0;
    if (data[0] == 0) {
        try_file((const char *)data + 1, n - 1);
        return 0;
    }
    own_zone z = zone_from_rule(zones[data[0] % ARRAY_LEN(zones)]);
    own_text text = xstrndup((const char *)data + 2, n - 2);
    try_expression(z, INT64_C(1700000000) + data[1] * INT64_C(86399) * 3, text);
    rule_parse(text, &rule);
    return 0;
}
