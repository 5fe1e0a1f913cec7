#include "os/cwd.h"

#include <unistd.h>

char *os_cwd(void)
{
    return get_current_dir_name();
}
