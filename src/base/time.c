#include "base/time.h"

#include <time.h>

#include "base/calendar.h"
#include "base/def.h"

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

/* `n` digits of value, and what comes behind them. */
static char *put(char *to, int64_t value, int n, char behind)
{
    for (int i = n; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    to[n] = behind;
    return to + n + 1;
}

/* Not gmtime_r(3), which reads the system's time zone before it does without, nor strftime(3): the two would
 * be an eighth of velos-keeper, and it is written in front of each line of a dated log. */
const char *time_rfc3339(int64_t wall_ms, char out[TIME_TEXT])
{
    enum { DAY_MS = DAY * 1000, YEARS_MOST = 9999 };
    int64_t days = wall_ms / DAY_MS - (wall_ms % DAY_MS < 0), ms = wall_ms - days * DAY_MS;
    struct date d = calendar_date(days);
    char *at = put(out, MIN(MAX(d.year, (int64_t)0), (int64_t)YEARS_MOST), 4, '-');
    at = put(at, d.month, 2, '-');
    at = put(at, d.day, 2, 'T');
    at = put(at, ms / 3600000, 2, ':');
    at = put(at, ms / 60000 % 60, 2, ':');
    at = put(at, ms / 1000 % 60, 2, '.');
    *put(at, ms % 1000, 3, 'Z') = '\0';
    return out;
}
