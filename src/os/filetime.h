/* src/os/filetime.h: when a file was written, which systems keep under other names. */
#pragma once
#include <stdint.h>
#include <sys/stat.h>

int64_t os_filetime_ns(const struct stat *st);         /* wall, of the last write */
int os_filetime_copy(int fd, const struct stat *from); /* makes the file as old as that; 0 or -1 */
