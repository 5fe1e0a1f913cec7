#include "base/unit.h"

#include "base/units.h"

enum { REFUSED = -1 };

static const struct {
    const char *text;
    int64_t want;
} durations[] = {
    { "0", 0 },
    { "1500", 1500 },
    { "500ms", 500 },
    { "5s", 5000 },
    { "5 s", 5000 },
    { "1.5s", 1500 },
    { "0.25s", 250 },
    { "1.9999s", 2000 },
    { "2m", 120000 },
    { "2min", 120000 },
    { "1h", 3600000 },
    { "1d", 86400000 },
    { "10000d", 10000LL * 86400000 },
    { "10001d", REFUSED },
    { "99999999999999999999999999", REFUSED },
    { "", REFUSED },
    { "-5s", REFUSED },
    { "+5s", REFUSED },
    { "s", REFUSED },
    { "5x", REFUSED },
    { "5s ", REFUSED },
    { " 5s", REFUSED },
    { "5 ", REFUSED },
    { "0x10", REFUSED },
    { "1e3", REFUSED },
    { "1.5", REFUSED },
    { "1.", REFUSED },
    { "1.s", REFUSED },
    { ".5s", REFUSED },
    { "1..5s", REFUSED },
    { "1,5s", REFUSED },
    { "inf", REFUSED },
    { "5s5s", REFUSED },
}, sizes[] = {
    { "0", 0 },
    { "1024", 1024 },
    { "1B", 1 },
    { "64K", 64 << 10 },
    { "64k", 64 << 10 },
    { "64KB", 64 << 10 },
    { "64KiB", 64 << 10 },
    { "150M", 150 << 20 },
    { "1G", 1 << 30 },
    { "1.5GiB", 3LL << 29 },
    { "2T", 2LL << 40 },
    { "1024T", 1LL << 50 },
    { "1025T", REFUSED },
    { "150MX", REFUSED },
    { "-1M", REFUSED },
    { "5s", REFUSED },
};

TEST(duration)
{
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        check_row(i);
        struct err e;
        int64_t ms = REFUSED;
        check_int(units_duration(durations[i].text, &ms, &e), durations[i].want == REFUSED ? -1 : 0);
        check_int(ms, durations[i].want);
    }
}

TEST(size)
{
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        check_row(i);
        struct err e;
        int64_t bytes = REFUSED;
        check_int(units_size(sizes[i].text, &bytes, &e), sizes[i].want == REFUSED ? -1 : 0);
        check_int(bytes, sizes[i].want);
    }
}

TEST(errors_say_what_was_expected)
{
    struct err e;
    int64_t n;
    check_int(units_duration("lots", &n, &e), -1);
    check_text(e.text, "`lots` is not a duration (500ms, 5s, 2m, 1h)");
    check_int(units_size("9999999T", &n, &e), -1);
    check_text(e.text, "`9999999T` is too large");
}

TEST(show_duration_is_exact)
{
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        { 0, "0ms" },     { 1, "1ms" },     { 1500, "1500ms" }, { 5000, "5s" },
        { 61000, "61s" }, { 120000, "2m" }, { 3600000, "1h" },  { 86400000, "24h" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[UNITS_TEXT];
        struct err e;
        int64_t back;
        check_row(i);
        check_text(units_show_duration(rows[i].ms, out), rows[i].want);
        check_int(units_duration(out, &back, &e), 0);
        check_int(back, rows[i].ms);
    }
}

TEST(show_uptime)
{
    char out[UNITS_TEXT];
    check_text(units_show_uptime(-5, out), "0s");
    check_text(units_show_uptime(12999, out), "12s");
    check_text(units_show_uptime(61000, out), "1m 1s");
    check_text(units_show_uptime(3661000, out), "1h 1m");
    check_text(units_show_uptime((3 * 24 + 4) * 3600000LL, out), "3d 4h");
}

TEST(show_size)
{
    static const struct {
        int64_t bytes;
        const char *want;
    } rows[] = {
        { 0, "0B" },           { 1023, "1023B" },         { 1024, "1.0K" },      { 831488, "812K" },
        { 54840000, "52.3M" }, { (1 << 20) - 1, "1.0M" }, { 1LL << 40, "1.0T" }, { 1LL << 52, "4096T" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[UNITS_TEXT];
        check_row(i);
        check_text(units_show_size(rows[i].bytes, out), rows[i].want);
    }
}

UNIT_MAIN()
