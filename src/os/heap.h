/* src/os/heap.h: the C library's heap. */
#pragma once

/* For a program that lives long and whose threads hardly meet in malloc: one pool for all of them, and large
 * pieces outside it, where that is a choice. */
void os_heap_share(void);

void os_heap_trim(void); /* what is free goes back to the system, where that is not done anyway */

/* In velosd's environment, unless the user has one of his own: glibc would keep up to 230 KiB of freed memory
 * for each thread (tcache), which no trim reaches, and knows no other way to be told. */
#define HEAP_TUNE_NAME  "GLIBC_TUNABLES"
#define HEAP_TUNE_VALUE "glibc.malloc.tcache_max=128"
