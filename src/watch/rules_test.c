#include "watch/rules.h"

#include "base/unit.h"

/* An app in /srv/api with velos's home in /srv/api/.velos; a slash ends a folder. */
static const struct {
    const char *root, *path, *rule;
} rows[] = {
    { "/srv/api", "/srv/api/a.js", NULL },
    { "/srv/api", "/srv/api/node_modules/", "node_modules" },
    { "/srv/api", "/srv/api/.git/", ".git" },
    { "/srv/api", "/srv/api/.git", ".git" }, /* of a worktree */
    { "/srv/api", "/srv/api/debug.log", "*.log" },
    { "/srv/api", "/srv/api/.a.js.swp", ".*.sw?" },
    { "/srv/api", "/srv/api/a.js~", "*~" },
    { "/srv/api", "/srv/api/gen/", "gen/" },
    { "/srv/api", "/srv/api/src/tmp/", "/src/tmp" },
    { "/srv/api/src", "/srv/api/src/tmp/", "/src/tmp" }, /* still relative to the base */
    { "/srv/lib", "/srv/lib/src/tmp/", "/src/tmp" },     /* not below it: to the root */
    { "/srv/lib", "/srv/lib/a/src/tmp/", NULL },
    { "/srv/api", "/srv/api/keep.log", NULL }, /* got back with ! */
    { "/srv/api", "/srv/api/.velos/", "velos's own files" },
    { "/srv/api", "/srv/api/.velosrc", NULL },
    { "/srv/api", "/srv/api/out.txt", "velos's own files" },
    { "/srv/api", "/srv/api/out-3.txt", "velos's own files" },
    { "/srv/api", "/srv/api/out.txt.1", "velos's own files" },
    { "/srv/api", "/srv/api/out-12.txt.4.gz", "velos's own files" },
    { "/srv/api", "/srv/api/.out.txt.77.idx", "velos's own files" },
    { "/srv/api", "/srv/api/out.txts", NULL },
    { "/srv/api", "/srv/api/out-a.txt", NULL },
    { "/srv/api", "/srv/api/src/out.txt", NULL },
    { "/srv/api/.velos/apps/x", "/srv/api/.velos/apps/x/a.js", NULL },
    { "/srv/api/.velos", "/srv/api/.velos/logs/", "velos's own files" },
    { "/srv/api/.velos", "/srv/api/.velos/velosd.log", "velos's own files" },
    { "/srv/api/.velos", "/srv/api/.velos/apps/a.js", NULL },
};

TEST(ignored)
{
    char *const ignore[] = { "gen/", "/src/tmp", "!keep.log", "!velosd.log", NULL };
    char *const logs[] = { "/srv/api/out.txt", "/srv/api/.velos/logs/api-error.log", NULL };
    struct rules_spec s = {
        .base = "/srv/api", .ignore = ignore, .home = "/srv/api/.velos", .own_logs = logs
    };
    struct rules *r = rules_new(&s);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool folder = text_ends(rows[i].path, "/");
        own_text path = xstrndup(rows[i].path, strlen(rows[i].path) - folder);
        const char *rule = rules_ignore(r, rows[i].root, path, folder);
        check_row(i);
        check_text(rule ? rule : "-", rows[i].rule ? rows[i].rule : "-");
    }
    rules_free(r);
}

UNIT_MAIN()
