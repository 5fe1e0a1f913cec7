/* src/os/memfile.h: a file without a name, gone when its last descriptor is closed. */
#pragma once
#include <stdbool.h>

/* Empty, open for reading and writing; label is for whoever looks at the process. -1 and errno. */
int os_memfile(const char *label, bool keep_on_exec);
