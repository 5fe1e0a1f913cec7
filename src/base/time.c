#include "base/time.h"

#include <stdio.h>
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
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(out, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, TIME_TEXT - n, ".%03dZ", (int)(wall_ms % 1000));
    return out;
}
