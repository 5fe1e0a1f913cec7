#include "os/subreaper.h"

bool os_subreaper(void)
{
    return false;
}
