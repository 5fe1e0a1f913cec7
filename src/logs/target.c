#include "logs/target.h"

#include <limits.h>
#include <stdlib.h>
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
    own_text at = step(path);
    if (!at)
        return xstrdup(path);
    int links = 1;
    for (char *next; links < LINKS_MOST && (next = step(at)); links++) {
        free(at);
        at = next;
    }
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
