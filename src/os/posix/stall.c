/* Here a log pipe is a pair of sockets (posix/pump.c): nothing we do with it waits for a lock. */
#include "os/stall.h"

int os_thread_id(void)
{
    return 0;
}

int os_queue(void)
{
    return 1;
}

bool os_pipe_name(int fd, struct os_pipe_name *out)
{
    return false;
}

size_t os_stall_pipes(int thread, struct os_pipe_name out[2])
{
    return 0;
}

size_t os_stall_holders(const struct os_pipe_name *pipe, bool open, struct os_holder *out, size_t most)
{
    return 0;
}
