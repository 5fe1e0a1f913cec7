/* src/os/cwd.h: the current folder, as the caller calls it. */
#pragma once

/* $PWD when that is true (a path through links stays as it is), else what the kernel says. For the caller to
 * free; NULL and errno when there is none. */
char *os_cwd(void);
