#include "os/subreaper.h"

#include <sys/prctl.h>

bool os_subreaper(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}
