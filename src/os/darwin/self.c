/* Compiled in CI, not run there. */
#include "os/self.h"

#include <limits.h>
#include <mach-o/dyld.h>
#include <stdlib.h>

/* dyld tells the name it was called by, which may be a link: that is followed, as /proc does on Linux. */
char *os_self_path(void)
{
    char named[PATH_MAX], real[PATH_MAX];
    uint32_t size = sizeof(named);
    if (_NSGetExecutablePath(named, &size) != 0)
        return NULL;
    return xstrdup(realpath(named, real) ? real : named);
}
