/* src/base/file.h: whole files, paths, folders. Nothing here expands ~ or variables. */
#pragma once
#include <sys/types.h>

#include "base/text.h"

/* The whole file, NUL-terminated; larger than `most` bytes is ERR_LIMIT, a pipe ERR_FAILED:
 * its writer may never come. The caller frees *out. */
must_check int file_read(const char *path, size_t most, char **out, size_t *out_len, struct err *e);
/* As that, and of pipes, as <(command): for what a person named and waits for. */
must_check int file_read_any(const char *path, size_t most, char **out, size_t *out_len, struct err *e);
must_check int file_write_all(int fd, const void *data, size_t n,
                              struct err *e); /* resumes after EINTR and short writes */

char *path_join(const char *dir, const char *name); /* name itself when it is absolute */
/* Joined, with ".", ".." and "//" folded; a ".." after a symbolic link stays, since it leads elsewhere. */
char *path_absolute(const char *base, const char *path);
const char *path_base(const char *path); /* what is behind the last slash */
char *path_dir(const char *path);        /* what is before it, "." or "/" if nothing is */
const char *path_ext(const char *path);  /* ".js", or "" ; a leading dot is no extension */
must_check int path_make_dirs(const char *path, mode_t mode, struct err *e); /* mkdir -p */
