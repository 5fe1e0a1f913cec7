/* src/logs/gzip.h: whole files to and from gzip. */
#pragma once
#include <stdatomic.h>
#include <sys/types.h>

#include "base/text.h"

int gzip_file(int from, int to, const atomic_bool *leave); /* 0; -1 and errno, or because of *leave */
