#include "logs/lines.h"

#include <stdlib.h>

#include "base/unit.h"

static const int64_t NOW = INT64_C(1795402451123456); /* 2026-11-23T02:54:11.123456Z */

static struct lines *json(void)
{
    return lines_new(&(struct lines_rules){ .json = true, .stream = "out", .app = "a\"b", .id = 7 });
}
static struct lines *dated(void)
{
    setenv("TZ", "UTC", 1);
    return lines_new(&(struct lines_rules){ .date_format = "%Y-%m-%d %H:%M:%S " });
}

static const struct {
    const char *in, *message; /* as JSON */
} rows[] = {
    { "plain\n", "\"plain\"" },
    { "\n", "\"\"" },
    { "say \"hi\" \\ there, it is long enough\n", "\"say \\\"hi\\\" \\\\ there, it is long enough\"" },
    { "\x1b[31mred\x1b[0m\ttab\n", "\"\\u001b[31mred\\u001b[0m\\ttab\"" },
    { "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n", "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"" },
    { "bad \xff\xfe utf\xc3\n", "\"bad \xef\xbf\xbd\xef\xbf\xbd utf\xef\xbf\xbd\"" },
    { "0123456789\x7f"
      "0123456789\n",
      "\"0123456789\\u007f0123456789\"" },
    { "\xc3\n", "\"\xef\xbf\xbd\"" },
};

TEST(json_messages)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lines *l = json();
        own_buf out = { 0 };
        own_text want =
            xasprintf("{\"time\":\"2026-11-23T02:54:11.123Z\",\"stream\":\"out\",\"app\":\"a\\\"b\","
                      "\"id\":7,\"message\":%s}\n",
                      rows[i].message);
        check_row(i);
        check_int(lines_format(l, NOW, rows[i].in, strlen(rows[i].in), 1000, &out), strlen(rows[i].in));
        check_text(out.data, want);
        lines_free(l);
    }
}

TEST(json_keeps_nul)
{
    struct lines *l = json();
    own_buf out = { 0 };
    check_int(lines_format(l, NOW, "a\0b\n", 4, 1000, &out), 4);
    check_contains(out.data, "\"a\\u0000b\"");
    lines_free(l);
}

TEST(an_unfinished_line_waits)
{
    struct lines *l = json();
    own_buf out = { 0 };
    check_int(lines_format(l, NOW, "one\ntwo\nthr", 11, 1000, &out), 8);
    buf_clear(&out);
    check_int(lines_format(l, NOW, "thr", 3, 1000, &out), 0);
    check_int(out.len, 0);
    lines_piece(l, NOW, "thr", 3, &out);
    check_contains(out.data, "\"message\":\"thr\",\"partial\":true}\n");
    lines_free(l);
}

static const struct {
    const char *in;
    size_t left; /* bytes at the end that wait for more */
} pieces[] = {
    { "", 0 },
    { "plain", 0 },
    { "caf\xc3\xa9", 0 },
    { "caf\xc3", 1 },
    { "\xc3", 1 },
    { "x\xe2", 1 },
    { "x\xe2\x82", 2 },
    { "x\xe2\x82\xac", 0 },
    { "x\xf0\x9f\x98", 3 },
    { "x\xf0\x9f", 2 },
    { "x\xf4\x8f", 2 },
    { "x\xed\x9f", 2 },
    { "x\xe0\xa0", 2 },
    { "x\xf0", 1 },
    { "x\xff", 0 }, /* none of these begins a character: not waited for */
    { "x\xc0", 0 },
    { "x\xc1", 0 },
    { "x\xf5", 0 },
    { "x\x80\x80\x80", 0 },
    { "\x80", 0 },
    { "x\xed\xa0", 0 },
    { "x\xf4\x90", 0 },
    { "x\xe0\x80", 0 },
    { "x\xf0\x8f\x80", 0 },
    { "x\xe2"
      "a",
      0 },
    { "x\xe2\xe2", 1 },
};

TEST(pieces_of_characters)
{
    struct lines *l = json(), *d = dated();
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        size_t n = strlen(pieces[i].in);
        check_row(i);
        check_int(lines_whole(l, pieces[i].in, n), n - pieces[i].left);
        check_int(lines_whole(d, pieces[i].in, n), n);
    }
    lines_free(l);
    lines_free(d);
}

TEST(dated_lines_and_pieces)
{
    struct lines *l = dated();
    own_buf out = { 0 };
    check_int(lines_format(l, NOW, "one\n\n", 5, 1000, &out), 5);
    lines_piece(l, NOW, "be", 2, &out);
    check(lines_open(l));
    lines_piece(l, NOW, "gun", 3, &out);
    lines_format(l, NOW + 1000000, " and done\nnext\n", 15, 1000, &out);
    check_text(out.data, "2026-11-23 02:54:11 one\n2026-11-23 02:54:11 \n2026-11-23 02:54:11 begun and done\n"
                         "2026-11-23 02:54:12 next\n");
    check(!lines_open(l));
    lines_free(l);
}

/* No line goes over `most`, but the first. */
TEST(room)
{
    struct lines *l = dated();
    own_buf out = { 0 };
    check_int(lines_format(l, NOW, "123\n456\n", 8, 5, &out), 4);
    check_int(out.len, 24);
    check_int(lines_format(l, NOW, "123\n456\n", 8, 48, &out), 4);
    check_int(out.len, 48);
    check_int(lines_format(l, NOW, "123\n456\n", 8, 71, &out), 0);
    check_int(out.len, 48);
    lines_free(l);
}

UNIT_MAIN()
