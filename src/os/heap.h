/* src/os/heap.h: the C library's heap. */
#pragma once

/* For a program whose threads hardly meet in malloc: one pool for all of them, where that is a choice. */
void os_heap_share(void);
