#include "os/lowly.h"

#include <unistd.h>

int os_write_out(int fd)
{
    return fsync(fd);
}

void os_lowly(void)
{
}

void os_prompt(void)
{
}
