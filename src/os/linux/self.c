#include "os/self.h"

#include <string.h>
#include <unistd.h>

#include "base/text.h"

char *os_self_path(void)
{
    static const char gone[] = " (deleted)"; /* what the kernel puts behind the name of a removed file */
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    if (text_ends(path, gone))
        path[(size_t)n - strlen(gone)] = '\0';
    return xstrdup(path);
}
