#include "base/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/unit.h"

TEST(as_people_read_it)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { 951827696789, "2000-02-29T12:34:56.789Z" },
        { 1795728171351, "2026-11-26T21:22:51.351Z" },
        { 4107542399999, "2100-02-28T23:59:59.999Z" },
        { 4107542400000, "2100-03-01T00:00:00.000Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
    };
    char text[TIME_TEXT];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_text(time_rfc3339(rows[i].ms, text), rows[i].text);
}

TEST(as_gmtime_has_it)
{
    char text[TIME_TEXT], theirs[80];
    srand(1);
    for (int i = 0; i < 20000; i++) {
        int64_t s = (int64_t)(rand() % 200000) * 20000 + rand() % 20000;
        time_t t = (time_t)s;
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        check_text(time_rfc3339(s * 1000, text), theirs);
    }
}

UNIT_MAIN()
