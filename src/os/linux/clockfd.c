#include "os/clockfd.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

int os_clockfd_new(void)
{
    return timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
}

bool os_clockfd_set(int fd, int64_t wall_ms)
{
    int64_t at = wall_ms > 0 ? wall_ms : 1; /* 0 would switch it off */
    struct itimerspec t = { .it_value = { .tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000 } };
    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, NULL) == 0;
}

bool os_clockfd_read(int fd)
{
    uint64_t times;
    return read(fd, &times, sizeof(times)) < 0 && errno == ECANCELED;
}
