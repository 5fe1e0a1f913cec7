#include "os/memfile.h"

#include <sys/mman.h>

int os_memfile(const char *label, bool keep_on_exec)
{
    return memfd_create(label, keep_on_exec ? 0 : MFD_CLOEXEC);
}
