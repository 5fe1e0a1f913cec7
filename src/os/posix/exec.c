#include "os/exec.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/self.h"

int os_exec_open(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC);
}

int os_exec_open_self(void)
{
    own_text path = os_self_path();
    return path ? os_exec_open(path) : -1;
}

int os_exec(int fd, const char *path, char *const *argv)
{
    return execv(path, argv);
}

void os_exec_name(const char *name)
{
}
