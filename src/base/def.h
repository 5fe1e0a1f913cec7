/* src/base/def.h: the few words every file uses: ownership, scope cleanup, containers. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/param.h> /* MIN, MAX */

#define must_check        __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define no_return         __attribute__((noreturn))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* The variable is emptied as its value is given away. */
#define steal(p)                                                                                             \
    ({                                                                                                       \
        __typeof__(p) stolen_ = (p);                                                                         \
        (p) = NULL;                                                                                          \
        stolen_;                                                                                             \
    })

static inline int steal_fd_(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}
#define steal_fd(fd) steal_fd_(&(fd))

/* close(2) that keeps errno and takes -1; sets *fd to -1. */
void fd_done(int *fd);
#define own_fd __attribute__((cleanup(fd_done))) int
