#include "os/fork.h"

#include <unistd.h>

/* Never inlined: the child runs on this frame. */
__attribute__((noinline)) pid_t os_fork(void (*body)(void *arg), void *arg)
{
    pid_t pid = vfork();
    if (pid == 0) {
        body(arg);
        _exit(127);
    }
    return pid;
}
