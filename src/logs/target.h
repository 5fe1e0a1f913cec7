/* src/logs/target.h: a log whose name is a symbolic link is the file that it leads to: there it is written
 * and rotated, and there its archives and indexes are. The link is never touched. */
#pragma once
#include "base/text.h"

/* A name of what a process has open, as standard output (/dev/stdout, /dev/fd/1, /proc/self/fd/1, or a link
 * to one of them): for a log it means the daemon's own. What is behind it belongs to others: it is written as
 * it comes, and never rotated, emptied or read back. */
enum { TARGET_NO_FD = -1 };
int target_fd(const char *path); /* its number */
/* The same for all names that a file may have below /proc and that were found by target_of(). */
bool target_is_borrowed(const char *file);

/* Where the log of that name is; the caller frees. The name itself, if it is no link, or one that leads to no
 * place with a name (/dev/stdout may lead to a pipe) or round in a circle. A target need not be there yet.
 * All names of standard output give "/dev/stdout", as those of others do. Its folder is told without links if
 * it is there: all links to one file give one path. */
char *target_of(const char *path);
