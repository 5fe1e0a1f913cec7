/* What is in the files: for apps that are not restarted by a file that is written again as it was. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/filetime.h"
#include "watch/tree_parts.h"

enum {
    READ_MOST = 8 << 20,
    BLOCK = 64 << 10
}; /* of a larger file its size and date stand for what is in it */

static uint64_t hash_file(int fd, off_t size)
{
    own_text block = xmalloc(BLOCK);
    uint64_t h = (uint64_t)size + 1;
    ssize_t n;
    while ((n = read(fd, block, BLOCK)) > 0)
        h = changes_hash(block, (size_t)n, h);
    return h;
}

/* 0: no file. */
static uint64_t content_of(const char *path)
{
    struct stat st;
    own_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    if (st.st_size <= READ_MOST)
        return hash_file(fd, st.st_size);
    uint64_t what[2] = { (uint64_t)st.st_size, (uint64_t)os_filetime_ns(&st) };
    return changes_hash(what, sizeof(what), 0);
}

/* True: it is another one. */
static bool update(struct tree *t, const char *path)
{
    uint64_t key = changes_hash(path, strlen(path), 0), now = content_of(path);
    uintptr_t had = (uintptr_t)map_get(&t->contents, key);
    if (had == (uintptr_t)now)
        return false;
    if (now)
        map_put(&t->contents, key, (void *)(uintptr_t)now);
    else
        map_remove(&t->contents, key);
    return true;
}

void content_remember(struct tree *t, const char *path, bool compare)
{
    if (update(t, path) && compare)
        t->changes.sure = true;
}

bool tree_differs(struct tree *t)
{
    const char *first = NULL;
    size_t n = 0;
    for (char *const *path = t->changes.list; path && *path; path++)
        if (update(t, *path) && n++ == 0)
            first = *path;
    if (n && !t->changes.sure)
        changes_narrow(&t->changes, first, n);
    return n || t->changes.sure;
}
