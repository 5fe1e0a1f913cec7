/* src/os/sigchild.h: SIGCHLD as something to wait for beside other descriptors. */
#pragma once

/* A descriptor, readable once a child has ended since the last drain; close-on-exec. Once in a process,
 * before it has a second thread. -1 and errno. */
int os_sigchild_open(void);
void os_sigchild_drain(int fd);
