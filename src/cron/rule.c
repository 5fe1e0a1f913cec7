#include "cron/rule.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"

enum { OFFSET_MOST = 26 * 3600 };

/* Reading: each takes what it understands from *p. */

static bool read_number(const char **p, int least, int most, int *out)
{
    int n = 0;
    if (!isdigit((unsigned char)**p))
        return false;
    for (; isdigit((unsigned char)**p) && n <= most; ++*p)
        n = n * 10 + (**p - '0');
    *out = n;
    return n >= least && n <= most;
}

static bool read_name(const char **p, char out[16])
{
    const char *from = *p, *end;
    if (*from == '<') {
        end = strchr(++from, '>');
        *p = end ? end + 1 : from;
    } else {
        for (end = from; isalpha((unsigned char)*end); end++)
            ;
        *p = end;
    }
    if (!end || end - from < 3 || end - from > 15)
        return false;
    memcpy(out, from, (size_t)(end - from));
    out[end - from] = '\0';
    return true;
}

/* [+-]hh[:mm[:ss]], up to a week as RFC 8536 has it. */
static bool read_time(const char **p, int *out)
{
    int sign = **p == '-' ? -1 : 1, hours, minutes = 0, seconds = 0;
    if (**p == '-' || **p == '+')
        ++*p;
    if (!read_number(p, 0, 167, &hours))
        return false;
    if (**p == ':' && (++*p, !read_number(p, 0, 59, &minutes)))
        return false;
    if (**p == ':' && (++*p, !read_number(p, 0, 59, &seconds)))
        return false;
    *out = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool read_weekday(const char **p, struct rule_day *out)
{
    out->kind = RULE_WEEKDAY;
    return read_number(p, 1, 12, &out->month) && *(*p)++ == '.' && read_number(p, 1, 5, &out->week) &&
           *(*p)++ == '.' && read_number(p, 0, 6, &out->day);
}

static bool read_day(const char **p, struct rule_day *out)
{
    out->time = 2 * 3600;
    if (*(*p)++ != ',')
        return false;
    if (**p == 'M') {
        ++*p;
        if (!read_weekday(p, out))
            return false;
    } else if (**p == 'J') {
        ++*p;
        out->kind = RULE_JULIAN;
        if (!read_number(p, 1, 365, &out->day))
            return false;
    } else {
        out->kind = RULE_YEARDAY;
        if (!read_number(p, 0, 365, &out->day))
            return false;
    }
    return **p != '/' || (++*p, read_time(p, &out->time));
}

bool rule_parse(const char *text, struct rule *out)
{
    const char *p = text;
    struct rule r = { 0 };
    if (!read_name(&p, r.name[0]) || !read_time(&p, &r.offset[0]))
        return false;
    r.offset[0] = -r.offset[0];
    if (*p) {
        r.has_dst = true;
        if (!read_name(&p, r.name[1]))
            return false;
        r.offset[1] = r.offset[0] + 3600;
        if (*p != ',') {
            if (!read_time(&p, &r.offset[1]))
                return false;
            r.offset[1] = -r.offset[1];
        }
        if (!read_day(&p, &r.change[1]) || !read_day(&p, &r.change[0]))
            return false;
    }
    *out = r;
    return !*p && abs(r.offset[0]) < OFFSET_MOST && abs(r.offset[1]) < OFFSET_MOST;
}

/* The day of a year (days since 1970). */
static int64_t day_of(const struct rule_day *d, int64_t year)
{
    int64_t first = calendar_days(year, 1, 1);
    if (d->kind == RULE_YEARDAY)
        return first + d->day;
    if (d->kind == RULE_JULIAN)
        return first + d->day - 1 + (d->day >= 60 && calendar_month_length(year, 2) == 29);
    int64_t month = calendar_days(year, d->month, 1);
    int to_first = (d->day - calendar_weekday(month) + 7) % 7, day = to_first + 7 * (d->week - 1);
    return month + (day >= calendar_month_length(year, d->month) ? day - 7 : day);
}

/* The instant of the change to `to` (1: daylight) in a year. */
static int64_t change_of(const struct rule *r, int to, int64_t year)
{
    return day_of(&r->change[to], year) * DAY + r->change[to].time - r->offset[!to];
}

int rule_at(const struct rule *r, int64_t instant, int64_t *change)
{
    int64_t before = INT64_MIN, year = calendar_date(instant / DAY - (instant % DAY < 0)).year;
    int now = 0;
    *change = INT64_MAX;
    if (!r->has_dst)
        return 0;
    for (int64_t y = year - 1; y <= year + 1; y++)
        for (int to = 0; to < 2; to++) {
            int64_t at = change_of(r, to, y);
            if (at <= instant && at >= before) {
                before = at;
                now = to;
            } else if (at > instant && at < *change) {
                *change = at;
            }
        }
    return now;
}
