#include "base/unit.h"

#include "base/text.h"

TEST(buf_grows_and_is_terminated)
{
    own_buf b = { 0 };
    for (int i = 0; i < 1000; i++)
        buf_addf(&b, "%d,", i);
    check_int(b.len, strlen(b.data));
    check(text_starts(b.data, "0,1,2,") && text_ends(b.data, ",998,999,"));
    buf_drop(&b, 4);
    check(text_starts(b.data, "2,3,"));
    buf_clear(&b);
    check_text(b.data, "");
}

TEST(numbers)
{
    static const int64_t numbers[] = { 0, 7, -7, 10, 1764182851123, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        own_buf b = { 0 };
        own_text want = xasprintf("n%lld", (long long)numbers[i]);
        buf_addc(&b, 'n');
        buf_add_int(&b, numbers[i]);
        assert_string_equal(b.data, want);
    }
}

TEST(formats_that_just_fit)
{
    for (int n = 0; n < 200; n++) {
        own_buf b = { 0 };
        own_text want = xasprintf("%d:%*d", n, n, n);
        buf_addf(&b, "%d:", n);
        buf_addf(&b, "%*d", n, n);
        assert_string_equal(b.data, want);
    }
}

TEST(buf_steal_of_nothing_is_text)
{
    struct buf b = { 0 };
    own_text text = buf_steal(&b);
    check_text(text, "");
}

TEST(strv)
{
    own_strv v = NULL;
    check_int(strv_len(NULL), 0);
    v = strv_add(v, "a");
    v = strv_take(v, xstrdup("b"));
    check_int(strv_len(v), 2);
    check(strv_has(v, "b") && !strv_has(v, "c") && !strv_has(NULL, "a"));
    own_strv copy = strv_copy(v);
    check(strv_equal(v, copy));
    copy = strv_add(copy, "c");
    check(!strv_equal(v, copy));
    check(strv_equal(NULL, NULL) && strv_copy(NULL) == NULL);
}

TEST(equal)
{
    check(text_equal("a", "a") && text_equal(NULL, NULL));
    check(!text_equal("a", "b") && !text_equal("a", NULL) && !text_equal(NULL, "a"));
    check(!text_ends("b", "ab") && text_ends("ab", "") && text_starts("", ""));
}

/* want: the words with | between, or NULL where a quote is open */
static const struct {
    const char *line, *want;
} splits[] = {
    { "", "" },
    { "  \t ", "" },
    { "npm run dev", "npm|run|dev" },
    { " a  b\t\nc ", "a|b|c" },
    { "'a b' \"c d\"", "a b|c d" },
    { "a\\ b", "a b" },
    { "'a\\b'", "a\\b" },
    { "\"a\\\"b\\\\c\\$d\\`e\\n\"", "a\"b\\c$d`e\\n" },
    { "a''b\"\"c", "abc" },
    { "''", ""
            "" },
    { "x '' y", "x||y" },
    { "a\\", "a\\" },
    { "$HOME;ls | wc", "$HOME;ls|||wc" },
    { "'open", NULL },
    { "\"open\\\"", NULL },
};

TEST(split_words)
{
    for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
        check_row(i);
        own_strv words = NULL;
        struct err e;
        int r = text_split_words(splits[i].line, &words, &e);
        check_int(r, splits[i].want ? 0 : -1);
        own_buf joined = { 0 };
        buf_adds(&joined, "");
        for (size_t w = 0; words && words[w]; w++)
            buf_addf(&joined, "%s%s", w ? "|" : "", words[w]);
        if (splits[i].want)
            check_text(joined.data, splits[i].want);
    }
}

TEST(nearest)
{
    static const char *const names[] = { "max_restarts", "max_memory_restart", "min_uptime", "name", NULL };
    static const struct {
        const char *word, *want;
    } rows[] = {
        { "max_restart", "max_restarts" },
        { "max-restarts", "max_restarts" },
        { "MAX_RESTARTS", "max_restarts" },
        { "max_memroy_restart", "max_memory_restart" },
        { "nmae", "name" },
        { "zebra", NULL },
        { "", NULL },
        { "uptime", NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        check(text_equal(text_nearest(rows[i].word, names), rows[i].want));
    }
    char longest[200];
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    check(text_nearest(longest, names) == NULL);
}

TEST(needs_shell)
{
    static const struct {
        const char *line;
        bool needs;
    } rows[] = {
        { "", false },
        { "npm run dev", false },
        { "node 'a && b' \"c; d\" e\\;f", false },
        { "curl -d {\"a\":1} x=1 a#b a~ 50% !", false },
        { "node a.js\n", false },
        { " \n node a.js", false },
        { "echo '$HOME `x`' \"\\$x\" \\$y", false },
        { "=x", false },
        { "a.b=c d", false },
        { "node a.js && echo hi", true },
        { "a|b", true },
        { "a;b", true },
        { "a &", true },
        { "a >b", true },
        { "a <b", true },
        { "(a)", true },
        { "a $B", true },
        { "a \"$B\"", true },
        { "a \"`b`\"", true },
        { "a `b`", true },
        { "a *.js", true },
        { "a ?.js", true },
        { "a [b].js", true },
        { "a ~/b", true },
        { "a # b", true },
        { "PORT=1 node a.js", true },
        { "  _P2= node", true },
        { "a\nb", true },
        { "it's && x", false }, /* the quote is not closed: somebody else says so */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        check_int(text_needs_shell(rows[i].line), rows[i].needs);
    }
}

TEST(shown)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "", "" },
        { "plain \\n \xc3\xa4\xf0\x9f\x98\x80", "plain \\n \xc3\xa4\xf0\x9f\x98\x80" },
        { "a\nb\r\tc", "a\\nb\\r\\tc" },
        { "\x1b[2J\x7f\x01", "\\x1b[2J\\x7f\\x01" },
        { "\xc2\x9b"
          "2J\xc2\xa0",
          "\\x9b"
          "2J\xc2\xa0" },
        { "\xe4 \xc3", "\\xe4 \\xc3" },
        { "\xf0\x9f\x98", "\\xf0\\x9f\\x98" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        own_buf out = { 0 };
        check_row(i);
        buf_adds(&out, "");
        buf_add_shown(&out, rows[i].text);
        check_text(out.data, rows[i].want);
    }
}

TEST(utf8)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        { "", true },
        { "plain", true },
        { "\xc3\xa4", true },         /* a with dots */
        { "\xe2\x82\xac", true },     /* euro */
        { "\xf0\x9f\x98\x80", true }, /* a face */
        { "\xf4\x8f\xbf\xbf", true }, /* the last one */
        { "\x80", false },            /* a tail alone */
        { "\xc3", false },            /* cut */
        { "\xe2\x82", false },
        { "\xc0\xaf", false },         /* overlong */
        { "\xe0\x80\xaf", false },     /* overlong */
        { "\xed\xa0\x80", false },     /* surrogate */
        { "\xf4\x90\x80\x80", false }, /* past the last one */
        { "\xff", false },
        { "\xe2\x28\xa1", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        check_int(text_is_utf8(rows[i].text, strlen(rows[i].text)), rows[i].valid);
    }
}

UNIT_MAIN()
