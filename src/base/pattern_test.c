#include "base/pattern.h"

#include <string.h>

#include "base/unit.h"

static struct pattern *made(const char *text, int (*make)(const char *, struct pattern **, struct err *))
{
    struct pattern *p = NULL;
    struct err e;
    check_int(make(text, &p, &e), 0);
    return p;
}

static bool fits(struct pattern *p, const char *line)
{
    return pattern_matches(p, line, strlen(line));
}

TEST(words)
{
    static const struct {
        const char *word;
        bool is;
    } rows[] = {
        { "/a/", true }, { "/^api-\\d+$/", true }, { "///", true }, { "//", false },   { "/a", false },
        { "a/", false }, { "/", false },           { "", false },   { "ns/a", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        check_int(pattern_is_word(rows[i].word), rows[i].is);
    }
}

TEST(of_a_word)
{
    struct pattern *p = made("/^api-\\d+$/", pattern_from_word);
    check(fits(p, "api-12") && !fits(p, "api-x") && !fits(p, "/api-12/"));
    check(pattern_gave_up(p) == NULL);
    pattern_free(p);
}

TEST(where)
{
    static const char line[] = "one two two";
    size_t start = 0, end = 0;
    struct pattern *p = made("two", pattern_new);
    check(pattern_find(p, line, strlen(line), 0, &start, &end) && start == 4 && end == 7);
    check(pattern_find(p, line, strlen(line), end, &start, &end) && start == 8 && end == 11);
    check(!pattern_find(p, line, strlen(line), end, &start, &end));
    pattern_free(p);
}

/* What is no UTF-8 keeps nothing from being found behind it. */
TEST(any_bytes)
{
    struct pattern *p = made("\xc3\xa4$", pattern_new);
    check(fits(p, "\xff\xfe \xc3\xa4") && !fits(p, "\xc3"));
    pattern_free(p);
}

TEST(broken)
{
    struct pattern *p = NULL;
    struct err e;
    check_int(pattern_new("a(", &p, &e), -1);
    check_int(e.code, ERR_USAGE);
    check_contains(e.text, "`a(` is no regular expression");
    check_contains(e.text, "at character 3");
    check_int(pattern_from_word("/(((a{1,255}){1,255}){1,255}){1,255}/", &p, &e), -1); /* too large */
    check(p == NULL);
}

/* Few steps for a selector, which a daemon waits for; more for a line of a log. */
TEST(steps)
{
    static const char slow[] = "^(([a-z]|[a-z]|[a-z]|[a-z])*)*[0-9]$";
    own_text word = xasprintf("/%s/", slow);
    struct pattern *few = made(word, pattern_from_word), *many = made(slow, pattern_new);
    check(!fits(few, "mailer") && pattern_gave_up(few) != NULL);
    check(fits(few, "7") && pattern_gave_up(few) == NULL); /* of the last look */
    check(!fits(many, "mailer") && pattern_gave_up(many) == NULL);
    pattern_free(few);
    pattern_free(many);
}

UNIT_MAIN()
