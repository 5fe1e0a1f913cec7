#include "os/heap.h"

void os_heap_share(void)
{
}

void os_heap_trim(void)
{
}
