/* src/base/fault.h: points at which a test may end this process: between two system calls of what must
 * survive that.
 *
 * Compiled in with -Dfaults=true alone, and then asleep unless $VELOS_FAULTS names a folder. A file there
 * that is called like a point ends the next process that comes by: it removes the file and has SIGKILL. What
 * came by without that leaves a file "seen.<point>". test/chaos finds the points by their names in the
 * source. libc only. */
#pragma once

#ifdef VELOS_FAULTS
void fault_point(const char *name);
#else
#define fault_point(name) ((void)0)
#endif
