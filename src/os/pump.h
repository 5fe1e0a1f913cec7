/* src/os/pump.h: bytes from a pipe to a file, without a stop in our memory where the system can.
 * Pipes are non-blocking, and made by os_pump_pipe(). */
#pragma once
#include <fcntl.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/def.h"

#ifdef O_DIRECT
enum { OS_PUMP_PACKETS = O_DIRECT }; /* a status flag that makes of a pipe something else (pipe(2)) */
#else
enum { OS_PUMP_PACKETS = 0 };
#endif

/* fds[0] to read (non-blocking), fds[1] to write; close-on-exec. */
int os_pump_pipe(int fds[2]);

/* Moves up to `most` bytes from the pipe to the file at *offset (advanced). *offset -1: the
 * file's own position (a FIFO, a device). Returns bytes, 0 for a pipe that is empty and has no writers; -1
 * with errno, EAGAIN when the pipe is empty. *file_failed tells that the errno is of the file: nothing was
 * taken from the pipe then, or (bytes are returned) what was is lost. */
ssize_t os_pump(int pipe_fd, int file_fd, int64_t *offset, size_t most, bool *file_failed);

/* Moves up to `most` bytes from one pipe to another. -1 and ENOSYS: not on this system. */
ssize_t os_pump_shift(int from, int to, size_t most);

/* Copies what stands first in the pipe, which keeps it. Where that takes a pipe in between, `scratch` is one:
 * what fits in it is the most there is. Bytes, 0 or -1 as of read(2). */
ssize_t os_pump_peek(const int scratch[2], int pipe_fd, char *out, size_t most);

/* Takes up to `most` bytes from the pipe and forgets them. Bytes, or -1. */
ssize_t os_pump_drop(int pipe_fd, size_t most);

/* Takes out what is in the pipe now, which may be blocking, and forgets it. */
void os_pump_discard(int pipe_fd);

/* How many bytes wait in the pipe (FIONREAD). */
bool os_pump_waiting(int pipe_fd, int *bytes);

/* Room in the pipe, and making it larger; both may fail without harm. */
int os_pump_size(int pipe_fd);
void os_pump_grow(int pipe_fd, int bytes);
