/* Compiled in CI, not run there. */
#include "os/layout.h"

void os_text_split(void)
{
}
