#include "base/calendar.h"

#include <stdbool.h>

/* Years are counted from March, so that the leap day is the last one (Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms"). 400 years have 146,097 days; 1970-01-01 is day 719,468 from 0000-03-01. */
enum { ERA_DAYS = 146097, EPOCH = 719468 };

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t calendar_days(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * ERA_DAYS + yoe * 365 + yoe / 4 - yoe / 100 + doy - EPOCH;
}

struct date calendar_date(int64_t days)
{
    int64_t z = days + EPOCH, era = floor_div(z, ERA_DAYS), doe = z - era * ERA_DAYS;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);
    return (struct date){ yoe + era * 400 + (month <= 2), month, (int)(doy - (153 * mp + 2) / 5 + 1) };
}

int calendar_month_length(int64_t year, int month)
{
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month == 2)
        return leap ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

int calendar_weekday(int64_t days)
{
    int64_t d = (days + 4) % 7; /* a Thursday */
    return (int)(d < 0 ? d + 7 : d);
}
