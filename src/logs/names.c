#include "logs/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { NUMBER_MOST = 99999 };

char *names_archive(const char *path, int number, bool gz)
{
    return xasprintf("%s.%d%s", path, number, gz ? ".gz" : "");
}

static int folder_len(const char *path)
{
    return (int)(path_base(path) - path);
}

char *names_index(const char *path, ino_t inode)
{
    return xasprintf("%.*s.%s.%llu.idx", folder_len(path), path, path_base(path), (unsigned long long)inode);
}

char *names_part(const char *path)
{
    return xasprintf("%.*s.%s.gz-part", folder_len(path), path, path_base(path));
}

/* Decimal without leading zeros: "01" is somebody else's. NULL, or what stands behind it. */
static const char *number(const char *s, unsigned long long *out)
{
    char *end;
    if (*s < '1' || *s > '9')
        return NULL;
    *out = strtoull(s, &end, 10);
    return end;
}

static struct names_found parse_archive(const char *rest)
{
    unsigned long long n;
    const char *end = number(rest, &n);
    bool gz = end && strcmp(end, ".gz") == 0;
    if (!end || n > NUMBER_MOST || (*end && !gz))
        return (struct names_found){ 0 };
    return (struct names_found){ .kind = NAMES_ARCHIVE, .number = (int)n, .gz = gz };
}

static struct names_found parse_index(const char *rest)
{
    unsigned long long n;
    const char *end = number(rest, &n);
    if (!end || strcmp(end, ".idx") != 0)
        return (struct names_found){ 0 };
    return (struct names_found){ .kind = NAMES_INDEX, .inode = (ino_t)n };
}

static const char *behind(const char *name, const char *base)
{
    size_t n = strlen(base);
    return strncmp(name, base, n) == 0 && name[n] == '.' ? name + n + 1 : NULL;
}

struct names_found names_parse(const char *base, const char *name)
{
    const char *rest = name[0] == '.' ? behind(name + 1, base) : NULL;
    struct names_found found = { 0 };
    if (rest)
        found = parse_index(rest);
    if (!found.kind && (rest = behind(name, base)))
        found = parse_archive(rest);
    return found;
}
