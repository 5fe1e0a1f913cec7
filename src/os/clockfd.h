/* src/os/clockfd.h: a descriptor that is readable at a time of the wall clock, and when somebody sets that
 * clock. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

int os_clockfd_new(void); /* close-on-exec, non-blocking; -1: refused, or not on this system */

/* False: the clock was set just now. Not before that was read are there more news. */
bool os_clockfd_set(int fd, int64_t wall_ms);
bool os_clockfd_read(int fd); /* true: the clock was set */
