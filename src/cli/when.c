#include "cli/when.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/units.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)

/* ".123456" and less; moves *p behind it. */
static int64_t read_fraction(const char **p)
{
    int64_t us = 0, step = SECOND_US;
    if (**p != '.')
        return 0;
    for (++*p; isdigit((unsigned char)**p); ++*p)
        us += (**p - '0') * (step /= 10);
    return us;
}

/* "Z", "+01:00", "-0530": seconds east; false: something else. */
static bool read_zone(const char *s, long *east)
{
    int h, m, used = 0;
    if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0) {
        *east = 0;
        return true;
    }
    if ((s[0] != '+' && s[0] != '-') || !isdigit((unsigned char)s[1]))
        return false;
    if (sscanf(s + 1, "%2d:%2d%n", &h, &m, &used) != 2 && sscanf(s + 1, "%2d%2d%n", &h, &m, &used) != 2)
        return false;
    *east = (s[0] == '-' ? -1 : 1) * (h * 3600L + m * 60L);
    return s[1 + used] == '\0' && h < 24 && m >= 0 && m < 60;
}

static bool in_range(const struct tm *tm)
{
    return tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_mday >= 1 && tm->tm_mday <= 31 && tm->tm_hour >= 0 &&
           tm->tm_hour < 24 && tm->tm_min >= 0 && tm->tm_min < 60 && tm->tm_sec >= 0 && tm->tm_sec <= 60;
}

/* "14:30", "14:30:05"; how many bytes, 0: none. */
static int read_clock(const char *s, struct tm *tm)
{
    int used = 0;
    tm->tm_sec = 0;
    if (sscanf(s, "%2d:%2d%n", &tm->tm_hour, &tm->tm_min, &used) != 2)
        return 0;
    if (s[used] == ':') {
        int more = 0;
        if (sscanf(s + used, ":%2d%n", &tm->tm_sec, &more) != 1)
            return 0;
        used += more;
    }
    return used;
}

static bool parse_date(const char *s, int64_t *out)
{
    struct tm tm = { .tm_isdst = -1 };
    int used = 0;
    long east;
    if (sscanf(s, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) != 3 || used != 10)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    s += used;
    int clock = *s == ' ' || *s == 'T' || *s == 't' ? read_clock(s + 1, &tm) : 0;
    if (clock)
        s += 1 + clock;
    int64_t fraction = clock ? read_fraction(&s) : 0;
    if (!in_range(&tm))
        return false;
    if (*s == '\0')
        *out = (int64_t)mktime(&tm) * SECOND_US + fraction;
    else if (clock && read_zone(s, &east))
        *out = ((int64_t)timegm(&tm) - east) * SECOND_US + fraction;
    else
        return false;
    return true;
}

static struct tm today(int64_t now_us)
{
    time_t now = (time_t)(now_us / SECOND_US);
    struct tm tm;
    localtime_r(&now, &tm);
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return tm;
}

static bool parse_clock(const char *s, int64_t now_us, int64_t *out)
{
    struct tm tm = today(now_us);
    int used = read_clock(s, &tm);
    const char *rest = s + used;
    int64_t fraction = used ? read_fraction(&rest) : 0;
    if (!used || *rest || !in_range(&tm))
        return false;
    *out = (int64_t)mktime(&tm) * SECOND_US + fraction;
    if (*out > now_us) {
        tm.tm_mday--;
        tm.tm_isdst = -1;
        *out = (int64_t)mktime(&tm) * SECOND_US + fraction;
    }
    return true;
}

static bool parse_word(const char *s, int64_t now_us, int64_t *out)
{
    struct tm tm = today(now_us);
    if (strcmp(s, "now") == 0) {
        *out = now_us;
        return true;
    }
    if (strcmp(s, "today") != 0 && strcmp(s, "yesterday") != 0)
        return false;
    tm.tm_mday -= s[0] == 'y';
    *out = (int64_t)mktime(&tm) * SECOND_US;
    return true;
}

static bool parse_epoch(const char *s, int64_t *out)
{
    char *end;
    if (s[0] != '@' || !isdigit((unsigned char)s[1]))
        return false;
    int64_t seconds = strtoll(s + 1, &end, 10); /* INT64_MAX for more than fits */
    if (seconds >= INT64_MAX / SECOND_US)
        return false;
    const char *rest = end;
    *out = seconds * SECOND_US + read_fraction(&rest);
    return *rest == '\0';
}

int when_parse(const char *s, int64_t now_us, int64_t *out_us, struct err *e)
{
    struct err ignored;
    int64_t ms;
    if (parse_word(s, now_us, out_us) || parse_epoch(s, out_us) || parse_date(s, out_us) ||
        parse_clock(s, now_us, out_us))
        return 0;
    bool bare = s[strspn(s, "0123456789")] == '\0';
    if (!bare && units_duration(s, &ms, &ignored) == 0) {
        *out_us = now_us - ms * 1000;
        return 0;
    }
    return err_set(e, ERR_USAGE,
                   "`%.60s` is no time: expected 10m (ago), 14:30, 2026-11-23 14:30, today or now", s);
}
