#include "os/fork.h"

#include <unistd.h>

pid_t os_fork(void (*body)(void *arg), void *arg)
{
    pid_t pid = fork();
    if (pid == 0) {
        body(arg);
        _exit(127);
    }
    return pid;
}
