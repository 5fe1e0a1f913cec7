#include "os/heap.h"

void os_heap_share(void)
{
}
