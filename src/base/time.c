#include "base/time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t time_mono_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t time_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

const char *time_rfc3339(int64_t wall_ms, char out[TIME_TEXT])
{
    time_t s = (time_t)(wall_ms / 1000);
    struct tm t;
    char text[96]; /* as long as gcc fears it could be */
    gmtime_r(&s, &t);
    /* Not strftime: it would bring time zones and locales into velos-keeper, an eighth of its code. */
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1,
             t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)(wall_ms % 1000));
    memcpy(out, text, TIME_TEXT - 1);
    out[TIME_TEXT - 1] = '\0';
    return out;
}
