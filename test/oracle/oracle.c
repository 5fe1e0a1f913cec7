/* Answers for oracles, line by line (test/e2e/test_oracles.py asks somebody else the same):
 *
 *     oracle cron    "ZONE<tab>EXPRESSION<tab>AFTER<tab>N"    the next N times behind AFTER (seconds since
 * 1970), or "error TEXT" */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cron/cron.h"

enum { LINE = 1 << 16 };

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

int main(int argc, char **argv)
{
    static char line[LINE];
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "cron") != 0) {
        fprintf(stderr, "usage: oracle cron\n");
        return 2;
    }
    while (fgets(line, sizeof(line), stdin))
        answer_cron(line);
    return 0;
}
