/* src/os/subreaper.h: orphans below us become our children (prctl(2) PR_SET_CHILD_SUBREAPER). */
#pragma once
#include <stdbool.h>

bool os_subreaper(void); /* false where there is no such thing */
