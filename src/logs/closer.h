/* src/logs/closer.h: closes deleted files on a thread of the lowest priority, since whoever closes one last
 * waits for the kernel to give back its pages and blocks (10 MB on ext4: 0.9 ms). Nothing else waits on it:
 * no lock is shared, and what it has no room for is closed by who brings it. */
#pragma once

struct closer;

/* The thread comes with the first file, and stays. */
struct closer *closer_new(void);
struct closer *closer_free(struct closer *c); /* closes what is left */

/* One thread alone calls this. */
void closer_take(struct closer *c, int take_fd);
