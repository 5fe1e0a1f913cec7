/* src/logs/gzip.h: whole files to and from gzip. */
#pragma once
#include <stdatomic.h>
#include <sys/types.h>

#include "base/text.h"

int gzip_file(int from, int to, const atomic_bool *leave); /* 0; -1 and errno, or because of *leave */

/* Reading in order; going back starts over. */
struct inflater;
struct inflater *inflater_new(int fd); /* which stays the caller's */
struct inflater *inflater_free(struct inflater *i);
ssize_t inflater_read(struct inflater *i, char *out, size_t n, int64_t offset); /* 0: the end, or damage */
