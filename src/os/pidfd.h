/* src/os/pidfd.h: a descriptor for a process that is not our child: readable once it has ended. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/def.h"

/* Close-on-exec; -1 and errno (ESRCH: gone; ENOSYS: not on this system). */
int os_pidfd_open(pid_t pid);

/* The wait status of a process that has ended, asked through its pidfd (Linux 6.15, PIDFD_INFO_EXIT), though
 * somebody else reaped it. False: not known. */
bool os_pidfd_status(int pidfd, int *status);

/* Whether another process may be handed one (SCM_RIGHTS) and go on with it. */
bool os_pidfd_travels(void);
