/* Compiled in CI, not run there. There is no affinity to one processor and no quota on macOS. */
#include "os/cpus.h"

#include <stddef.h>
#include <sys/sysctl.h>

int os_cpus(void)
{
    int n = 0;
    size_t len = sizeof(n);
    return sysctlbyname("hw.logicalcpu", &n, &len, NULL, 0) == 0 && n > 0 ? n : 1;
}
