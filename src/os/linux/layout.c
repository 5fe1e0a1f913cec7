/* Fault-around (mm/memory.c, do_fault_around()) maps up to 16 pages around the one that is touched, but never
 * beyond the mapping: MADV_RANDOM makes a mapping of its own of what lies behind the code that always runs.
 */
#include "os/layout.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

extern const char velosd_later_text[] __attribute__((weak));
extern const char velosd_later_text_end[] __attribute__((weak));
extern const char velosd_later_data[] __attribute__((weak));
extern const char velosd_later_data_end[] __attribute__((weak));

static void split(const char *from, const char *to)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)from + page - 1) & ~(page - 1);
    if (from && (uintptr_t)to > begin)
        madvise((void *)begin, (uintptr_t)to - begin, MADV_RANDOM);
}

void os_text_split(void)
{
    split(velosd_later_text, velosd_later_text_end);
    split(velosd_later_data, velosd_later_data_end);
}
