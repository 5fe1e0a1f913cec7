/* src/os/self.h: the running program's own file. */
#pragma once
#include "base/mem.h"

/* Its path, for the caller to free; NULL where the system does not tell. When the file was replaced by a
 * newer version, that one's: the name is the same. */
char *os_self_path(void);
