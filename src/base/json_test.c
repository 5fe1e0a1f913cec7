#include "base/unit.h"

#include "base/json.h"

TEST(nesting_and_commas)
{
    own_buf b = { 0 };
    struct json_out j = JSON_OUT(&b);
    char *words[] = { "a", "b", NULL };
    json_open(&j, NULL, '{');
    json_int(&j, "n", INT64_MIN);
    json_flag(&j, "yes", true);
    json_null_at(&j, "none");
    json_str(&j, "null", NULL);
    json_open(&j, "empty", '[');
    json_close(&j, ']');
    json_strv(&j, "words", words);
    json_strv(&j, "nothing", NULL);
    json_open(&j, "list", '[');
    json_open(&j, NULL, '{');
    json_close(&j, '}');
    json_raw(&j, NULL, "{\"x\":1}");
    json_close(&j, ']');
    json_time(&j, "never", 0);
    json_time(&j, "time", 1000);
    json_close(&j, '}');
    check_text(b.data, "{\"n\":-9223372036854775808,\"yes\":true,\"none\":null,\"null\":null,\"empty\":[],"
                       "\"words\":[\"a\",\"b\"],\"nothing\":[],\"list\":[{},{\"x\":1}],\"never\":null,"
                       "\"time\":\"1970-01-01T00:00:01.000Z\"}");
    own_json parsed = NULL;
    struct err e;
    check_int(json_parse(b.data, b.len, &parsed, &e), 0);
}

TEST(numbers)
{
    static const struct {
        double value;
        const char *want;
    } rows[] = {
        { 0, "0.0" },
        { 1.25, "1.3" },
        { 99.94, "99.9" },
        { -0.54, "-0.5" },
        { -12.36, "-12.4" },
        { 1e9, "1000000000.0" },
        { __builtin_nan(""), "null" },
        { __builtin_inf(), "null" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        own_buf b = { 0 };
        struct json_out j = JSON_OUT(&b);
        check_row(i);
        json_num(&j, NULL, rows[i].value);
        check_text(b.data, rows[i].want);
    }
}

TEST(escapes)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "", "\"\"" },
        { "a\"b\\c", "\"a\\\"b\\\\c\"" },
        { "\n\t\r\x01\x7f", "\"\\n\\t\\u000d\\u0001\\u007f\"" },
        { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { "a\xff"
          "b",
          "\"a\xee\xbf\xbf"
          "b\"" },
        { "cut \xe2\x82", "\"cut \xee\xbf\xa2\xee\xbe\x82\"" },
        { "\xee\xbe\x80", "\"\xee\xbf\xae\xee\xbe\xbe\xee\xbe\x80\"" }, /* what carries is carried itself */
        { "\xee\xbd\xbf", "\"\xee\xbd\xbf\"" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        own_buf b = { 0 };
        struct json_out j = JSON_OUT(&b);
        own_json parsed = NULL;
        struct err e;
        check_row(i);
        json_str(&j, NULL, rows[i].text);
        check_text(b.data, rows[i].want);
        check_int(json_parse(b.data, b.len, &parsed, &e), 0);
        own_text back = json_uncarry(xstrdup(json_string_value(parsed)));
        check_text(back, rows[i].text);
    }
}

TEST(logs_have_replacements)
{
    own_buf b = { 0 };
    struct json_out j = JSON_OUT(&b);
    json_strn(&j, NULL, "a\xff", 2);
    check_text(b.data, "\"a\xef\xbf\xbd\"");
}

TEST(any_bytes_come_back)
{
    uint64_t random = 88172645463325252U;
    for (int round = 0; round < 20000; round++) {
        static const unsigned char some[] = { 0xee, 0xbe, 0xbf, 0x80, 0xef, 0xff, 'a', 0xc3 };
        char text[9] = { 0 };
        for (int i = 0; i < 8; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            text[i] = (char)some[random % sizeof(some)];
        }
        own_buf b = { 0 };
        struct json_out j = JSON_OUT(&b);
        own_json parsed = NULL;
        struct err e;
        json_str(&j, NULL, text);
        check_int(json_parse(b.data, b.len, &parsed, &e), 0);
        own_text back = json_uncarry(xstrdup(json_string_value(parsed)));
        check_text(back, text);
    }
}

/* Any bytes at all give JSON that parses. */
TEST(every_byte_is_writable)
{
    for (int c = 1; c < 256; c++) {
        char text[] = { 'x', (char)c, 'y', '\0' };
        own_buf b = { 0 };
        struct json_out j = JSON_OUT(&b);
        own_json parsed = NULL;
        struct err e;
        json_str(&j, NULL, text);
        check_int(json_parse(b.data, b.len, &parsed, &e), 0);
        if (c < 0x80)
            check_text(json_string_value(parsed), text);
    }
}

TEST(members)
{
    static const char text[] = "{\"s\":\"x\",\"n\":7,\"f\":true}";
    own_json o = NULL;
    struct err e;
    check_int(json_parse(text, strlen(text), &o, &e), 0);
    check_text(json_get_str(o, "s", "-"), "x");
    check_text(json_get_str(o, "n", "-"), "-");
    check_int(json_get_int(o, "n", 0), 7);
    check_int(json_get_int(o, "s", 3), 3);
    check(json_get_flag(o, "f", false) && json_get_flag(o, "none", true) && !json_get_flag(o, "n", false));
}

TEST(refusals)
{
    static const char *const rows[] = { "", "{", "{\"a\":1,\"a\":2}", "[1,]", "nul", "\"\\u0000\"", "1 2" };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *o = NULL;
        struct err e;
        check_row(i);
        check_int(json_parse(rows[i], strlen(rows[i]), &o, &e), -1);
        check_int(e.code, ERR_PARSE);
        check_contains(e.text, "line 1");
    }
}

TEST(deep_nesting_is_refused)
{
    own_buf b = { 0 };
    for (int i = 0; i < 100000; i++)
        buf_addc(&b, '[');
    json_t *o = NULL;
    struct err e;
    check_int(json_parse(b.data, b.len, &o, &e), -1);
}

UNIT_MAIN()
