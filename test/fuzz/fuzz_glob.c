/* Patterns, a line each, the path behind them in the last one. What decides does so whatever else is asked,
 * an exception is the same pattern turned round, and a path without anything special is a pattern that fits
 * itself.
 *
 *   clang -std=gnu17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -o /tmp/fuzz_glob \
 *     test/fuzz/fuzz_glob.c src/base/{err,mem,text}.c src/watch/glob.c && /tmp/fuzz_glob -max_total_time=60
 */
#include <assert.h>
#include <string.h>

#include "watch/glob.h"

static const struct glob *find(const char *pattern, const char *path, bool folder, struct globs **out)
{
    *out = globs_new();
    globs_add(*out, pattern);
    return globs_find(*out, path, folder);
}

static void try_pattern(const char *pattern, const char *path)
{
    struct globs *plain, *turned;
    bool comment = *pattern == '#' || *pattern == '!';
    own_text other = xasprintf("!%s", pattern);
    bool file = find(pattern, path, false, &plain), folder = globs_find(plain, path, true);
    assert(folder || !file); /* a slash at the end is all that makes a difference */
    const struct glob *by = find(other, path, false, &turned);
    assert(comment || !by == !file);
    assert(!by || glob_is_exception(by));
    globs_free(plain);
    globs_free(turned);
}

static void try_itself(const char *path)
{
    struct globs *g;
    if (!*path || strpbrk(path, "*?[\\ #!") || path[0] == '/' || text_ends(path, "/") || strstr(path, "//"))
        return;
    assert(find(path, path, false, &g));
    globs_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    own_text text = xstrndup((const char *)data, n);
    char *rest = text, *path = strrchr(text, '\n');
    if (!path)
        return 0;
    *path++ = '\0';
    struct globs *all = globs_new();
    const struct glob *by;
    for (const char *line; (line = strsep(&rest, "\n"));) {
        globs_add(all, line);
        try_pattern(line, path);
    }
    try_itself(path);
    bool ignored = globs_ignore(all, path, false, &by);
    assert(!ignored || (by && !glob_is_exception(by)));
    globs_free(all);
    return 0;
}
