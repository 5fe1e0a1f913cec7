/* src/base/calendar.h: days and dates of the Gregorian calendar; all are days since 1970. */
#pragma once
#include <stdint.h>

enum { DAY = 86400 }; /* seconds */
struct date {
    int64_t year;
    int month, day; /* from 1 */
};
int64_t calendar_days(int64_t year, int month, int day);
struct date calendar_date(int64_t days);
int calendar_month_length(int64_t year, int month);
int calendar_weekday(int64_t days); /* 0: Sunday */
