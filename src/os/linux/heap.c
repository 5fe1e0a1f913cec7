#include "os/heap.h"

#include <malloc.h>

void os_heap_share(void)
{
    mallopt(M_ARENA_MAX, 1); /* an arena is 64 KiB */
}

void os_heap_trim(void)
{
    malloc_trim(0);
}
