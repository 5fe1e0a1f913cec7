/* Answers for test/e2e/test_oracles.py, which asks somebody else the same. A line of stdin, a line of stdout.
 *
 *     oracle cron    ZONE, EXPRESSION, AFTER, N with tabs between: the next N times behind AFTER (seconds
 * since 1970), or "error TEXT" oracle glob    PATTERNS with tabs between, which are used from there on; or,
 * behind a blank, a path (a folder when a slash ends it): the pattern that decides about it, or "" */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cron/cron.h"
#include "watch/glob.h"

enum { LINE = 1 << 16 };
static struct globs *patterns;

static char *field(char **line)
{
    char *f = strsep(line, "\t\n");
    return f ? f : "";
}

static void answer_cron(char *line)
{
    struct cron c;
    struct err e;
    own_zone z = NULL;
    const char *zone = field(&line), *expr = field(&line);
    int64_t t = strtoll(field(&line), NULL, 10);
    long n = strtol(field(&line), NULL, 10);
    if (cron_parse(expr, &c, &e) < 0 || zone_load(zone, &z, &e) < 0) {
        printf("error %s\n", e.text);
        return;
    }
    for (long i = 0; i < n; i++) {
        t = cron_next(&c, z, t);
        printf("%s%lld", i ? " " : "", (long long)t);
    }
    printf("\n");
}

static void answer_glob(char *line)
{
    const struct glob *by = NULL;
    if (strcmp(field(&line), "patterns") == 0) {
        globs_free(patterns);
        patterns = globs_new();
        while (line && *line)
            globs_add(patterns, field(&line));
        printf("\n");
        return;
    }
    const char *path = field(&line);
    bool folder = text_ends(path, "/");
    own_text name = xstrndup(path, strlen(path) - folder);
    globs_ignore(patterns, name, folder, &by);
    printf("%s\n", by ? glob_text(by) : "");
}

int main(int argc, char **argv)
{
    static char line[LINE];
    const char *what = argc > 1 ? argv[1] : "";
    void (*answer)(char *) = strcmp(what, "cron") == 0   ? answer_cron
                             : strcmp(what, "glob") == 0 ? answer_glob
                                                         : NULL;
    if (!answer) {
        fprintf(stderr, "usage: oracle cron|glob\n");
        return 2;
    }
    while (fgets(line, sizeof(line), stdin))
        answer(line);
    patterns = globs_free(patterns);
    return 0;
}
