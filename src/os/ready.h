/* src/os/ready.h: which of many descriptors have something new. Each is told once for what came (edges), so
 * one that is left as it is wakes nobody. One thread waits; any may wake it. */
#pragma once
#include <stdbool.h>

struct os_ready;
struct os_ready *os_ready_new(void); /* NULL and errno */
struct os_ready *os_ready_free(struct os_ready *r);

enum os_ready_for { OS_READY_IN, OS_READY_OUT };
/* Told as `what`. -1: not something that can be waited for (a regular file). */
int os_ready_add(struct os_ready *r, int fd, enum os_ready_for dir, void *what);
void os_ready_remove(struct os_ready *r, int fd);

/* Up to `most` that are ready, into `what`; timeout_ms -1: for ever. 0 when only woken, or too late. */
int os_ready_wait(struct os_ready *r, int timeout_ms, void **what, int most);
void os_ready_rest(struct os_ready *r, int us); /* whatever comes waits so long; a wake ends it */
void os_ready_wake(struct os_ready *r);
