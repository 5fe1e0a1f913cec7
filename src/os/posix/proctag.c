/* No limit can be used for it: an app's processes are known by their parents and environments alone. */
#include "os/proctag.h"

void os_proctag_take(uint64_t tag)
{
    (void)tag;
}

bool os_proctag_is_part(uint64_t hard_limit)
{
    (void)hard_limit;
    return false;
}

uint64_t os_proctag_read(pid_t pid)
{
    (void)pid;
    return 0;
}
