/* A temporary file whose name is removed at once. shm_open(3) would not do: what it opens need not be
 * readable and writable by read(2) and write(2). */
#include "os/memfile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/def.h"
#include "base/mem.h"

int os_memfile(const char *label, bool keep_on_exec)
{
    const char *folder = getenv("TMPDIR");
    own_text path = xasprintf("%s/%s-XXXXXX", folder && *folder ? folder : "/tmp", label);
    own_fd fd = mkstemp(path);
    if (fd < 0)
        return -1;
    unlink(path);
    if (!keep_on_exec && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return steal_fd(fd);
}
