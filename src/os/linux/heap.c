#include "os/heap.h"

#include <malloc.h>

void os_heap_share(void)
{
    mallopt(M_ARENA_MAX, 1);
    /* Set by hand they stay: else one large request that was freed moves the next into the heap, for good. */
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_TRIM_THRESHOLD, 128 << 10); /* an arena is 64 KiB */
}

void os_heap_trim(void)
{
    malloc_trim(0);
}
