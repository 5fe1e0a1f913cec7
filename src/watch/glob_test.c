#include "watch/glob.h"

#include "base/unit.h"

/* Patterns, a path (a folder when a slash ends it), whether it is ignored. */
static const struct {
    const char *patterns[4];
    const char *path;
    bool ignored;
} rows[] = {
    { { "*.log" }, "a.log", true },
    { { "*.log" }, "deep/down/a.log", true },
    { { "*.log" }, "a.log.txt", false },
    { { "*.log", "!keep.log" }, "keep.log", false },
    { { "!keep.log", "*.log" }, "keep.log", true },
    { { "node_modules" }, "node_modules/", true },
    { { "node_modules" }, "packages/a/node_modules/b/index.js", true },
    { { "node_modules" }, "node_modules_not", false },
    { { "build/" }, "build/", true },
    { { "build/" }, "build", false },
    { { "build/" }, "build/out.js", true },
    { { "build/" }, "src/build/out.js", true },
    { { "/build" }, "build", true },
    { { "/build" }, "src/build", false },
    { { "src/gen" }, "src/gen", true },
    { { "src/gen" }, "lib/src/gen", false },
    { { "src/*.js" }, "src/a.js", true },
    { { "src/*.js" }, "src/sub/a.js", false },
    { { "**/gen" }, "gen", true },
    { { "**/gen" }, "a/b/gen", true },
    { { "a/**/z" }, "a/z", true },
    { { "a/**/z" }, "a/b/c/z", true },
    { { "a/**/z" }, "b/a/z", false },
    { { "a/**" }, "a/b/c", true },
    { { "a/**" }, "a/", false },
    { { "a/**/" }, "a/b/", true },
    { { "a/**/" }, "a/b", false },
    { { "**" }, "anything", true },
    { { "a**b" }, "axxb", true },
    { { "a**b/c" }, "ax/yb/c", false },
    { { "?.js" }, "a.js", true },
    { { "?.js" }, "ab.js", false },
    { { "src?a" }, "src/a", false },
    { { "[a-c].js" }, "b.js", true },
    { { "[!a-c].js" }, "b.js", false },
    { { "[^a-c].js" }, "d.js", true },
    { { "[]].js" }, "].js", true },
    { { "[a-]x" }, "-x", true },
    { { "[[:digit:]]*" }, "7up", true },
    { { "[[:nonsense:]]*" }, "7up", false },
    { { "[a" }, "[a", false },
    { { "[a" }, "a", false },
    { { "\\*" }, "*", true },
    { { "\\*" }, "a", false },
    { { "\\!important" }, "!important", true },
    { { "\\#notes" }, "#notes", true },
    { { "#notes" }, "#notes", false },
    { { "" }, "a", false },
    { { "a " }, "a", true },
    { { "a\\ " }, "a ", true },
    { { "*", "!*.js" }, "a.js", false },
    { { "*", "!*.js" }, "src/a.js", true }, /* src itself is ignored */
    { { "*", "!*/", "!*.js" }, "src/a.js", false },
    { { "dir", "!dir/a" }, "dir/a", true },
    { { "dir/*", "!dir/a" }, "dir/a", false },
    { { "dir/*", "!dir/a" }, "dir/b", true },
    { { "*a*a*a*a*a*a*a*a*b" }, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
    { { "**/a/**/a/**/a/**/b" }, "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", false },
};

TEST(ignored)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct globs *g = globs_new();
        const struct glob *by;
        for (size_t k = 0; k < ARRAY_LEN(rows[i].patterns) && rows[i].patterns[k]; k++)
            globs_add(g, rows[i].patterns[k]);
        bool folder = text_ends(rows[i].path, "/");
        own_text path = xstrndup(rows[i].path, strlen(rows[i].path) - folder);
        check_row(i);
        check_int(globs_ignore(g, path, folder, &by), rows[i].ignored);
        globs_free(g);
    }
}

TEST(the_rule_is_told)
{
    struct globs *g = globs_new();
    const struct glob *by;
    globs_add(g, "*.tmp");
    globs_add(g, "!/keep/");
    check(globs_ignore(g, "a/b.tmp", false, &by));
    check_text(glob_text(by), "*.tmp");
    check(!globs_ignore(g, "keep", true, &by));
    check_text(glob_text(by), "!/keep/");
    check(glob_is_exception(by));
    check(!globs_ignore(g, "c", false, &by) && !by);
    globs_free(g);
}

UNIT_MAIN()
