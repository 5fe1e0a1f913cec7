#include "logs/target.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { LINKS_MOST = 40 }; /* in a row, as Linux has it */

/* One step; NULL: it is no link. */
static char *step(const char *path)
{
    char text[PATH_MAX];
    ssize_t n = readlink(path, text, sizeof(text) - 1);
    if (n <= 0)
        return NULL;
    text[n] = '\0';
    own_text dir = path_dir(path);
    return path_join(dir, text);
}

/* Descriptors. */

static int read_number(const char *text)
{
    char *end;
    if (*text < '0' || *text > '9')
        return TARGET_NO_FD;
    long n = strtol(text, &end, 10);
    return *end || n > INT_MAX ? TARGET_NO_FD : (int)n;
}

/* By the text alone: /proc need not be mounted. */
static int fd_by_name(const char *path)
{
    static const char *const names[] = { "/dev/stdin", "/dev/stdout", "/dev/stderr" };
    static const char *const folders[] = { "/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(path, names[i]) == 0)
            return (int)i;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        if (text_starts(path, folders[i]))
            return read_number(path + strlen(folders[i]));
    return TARGET_NO_FD;
}

/* By where its directory really is: for links, and for /proc/self, which is one. */
static int fd_by_folder(const char *path)
{
    own_text dir = path_dir(path);
    char *real = realpath(dir, NULL);
    own_text ours = xasprintf("/proc/%d/fd", (int)getpid());
    own_text thread = xasprintf("/proc/%d/task/", (int)getpid());
    own_text plain = real ? path_join(real, path_base(path)) : NULL;
    bool is_ours = real && (strcmp(real, ours) == 0 || (text_starts(real, thread) && text_ends(real, "/fd")));
    free(real);
    return is_ours ? read_number(path_base(path)) : plain ? fd_by_name(plain) : TARGET_NO_FD;
}

static char *fd_name(int fd)
{
    return fd == STDOUT_FILENO   ? xstrdup("/dev/stdout")
           : fd == STDERR_FILENO ? xstrdup("/dev/stderr")
                                 : xasprintf("/dev/fd/%d", fd);
}

int target_fd(const char *path)
{
    own_text at = target_of(path);
    return fd_by_name(at);
}

bool target_is_borrowed(const char *file)
{
    return fd_by_name(file) != TARGET_NO_FD || text_starts(file, "/proc/");
}

/* What is found by either name is the same, or nothing is by either. The links of /proc lead elsewhere than
 * they say. */
static bool is_same(const char *a, const char *b)
{
    struct stat x, y;
    bool has_a = stat(a, &x) == 0, has_b = stat(b, &y) == 0;
    return has_a == has_b && (!has_a || (x.st_ino == y.st_ino && x.st_dev == y.st_dev));
}

char *target_of(const char *path)
{
    int fd = fd_by_name(path);
    if (fd != TARGET_NO_FD)
        return fd_name(fd);
    own_text at = step(path);
    if (!at)
        return xstrdup(path);
    if ((fd = fd_by_folder(path)) != TARGET_NO_FD)
        return fd_name(fd);
    int links = 1;
    for (; links < LINKS_MOST; links++) {
        char *next = step(at);
        fd = fd_by_name(at);
        if (fd == TARGET_NO_FD && next)
            fd = fd_by_folder(at);
        if (fd != TARGET_NO_FD || !next) {
            free(next);
            break;
        }
        free(at);
        at = next;
    }
    if (fd != TARGET_NO_FD)
        return fd_name(fd);
    if (links == LINKS_MOST || !is_same(path, at))
        return xstrdup(path);
    own_text dir = path_dir(at);
    char *real = realpath(dir, NULL);
    if (!real)
        return steal(at);
    char *found = path_join(real, path_base(at));
    free(real);
    return found;
}
