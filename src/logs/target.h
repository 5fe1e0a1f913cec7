/* src/logs/target.h: a log whose name is a symbolic link is the file that it leads to: there it is written
 * and rotated, and there its archives and indexes are. The link is never touched. */
#pragma once
#include "base/text.h"

/* Where the log of that name is; the caller frees. The name itself, if it is no link, or one that leads to no
 * place with a name (/dev/stdout may lead to a pipe) or round in a circle. A target need not be there yet.
 * Its folder is told without links if it is there: all links to one file give one path. */
char *target_of(const char *path);
