#include "proto/scan.h"

#include <stdlib.h>

#include "base/unit.h"

static const char *const names[] = { "id", "name", "list" };

static void scan(const char *text, struct piece v[3])
{
    scan_members(PIECE(text), names, 3, v);
}

TEST(members_are_found_in_any_order)
{
    static const char *const rows[] = {
        "{\"id\":1,\"name\":\"a\",\"list\":[1,{\"id\":9}]}",
        "{ \"list\" : [1,{\"id\":9}] , \"more\":{\"id\":5,\"s\":\"}]\\\"\"}, \"name\":\"a\", \"id\" : 1 }",
        "{\"x\":\"\\\\\",\"list\":[1,{\"id\":9}],\"id\":1,\"idx\":3,\"name\":\"a\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct piece v[3];
        int64_t id = 0;
        scan(rows[i], v);
        check(piece_int(v[0], &id));
        check_int(id, 1);
        own_text name = piece_text(v[1]);
        check_text(name, "a");
        check(piece_is(v[2], "[1,{\"id\":9}]"));
    }
}

TEST(items)
{
    static const struct {
        const char *array, *want;
    } rows[] = {
        { "[]", "" },    { "[ ]", "" },
        { "[1]", "1;" }, { "[ \"a,]\" , {\"b\":[2,3]},null ]", "\"a,]\";{\"b\":[2,3]};null;" },
        { "{}", "" },    { "", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        own_buf got = { 0 };
        buf_adds(&got, "");
        struct piece item;
        for (size_t at = 0; scan_item(PIECE(rows[i].array), &at, &item);) {
            buf_add(&got, item.at, item.n);
            buf_addc(&got, ';');
        }
        check_text(got.data, rows[i].want);
    }
}

TEST(texts_are_unescaped)
{
    own_text plain = piece_text(PIECE("\"api\""));
    own_text escaped = piece_text(PIECE("\"a\\n\\u00e9\""));
    check_text(plain, "api");
    check_text(escaped, "a\n\xc3\xa9");
    check(piece_text(PIECE("12")) == NULL);
    size_t n;
    own_text nul = piece_bytes(PIECE("\"a\\u0000b\""), &n);
    check_int(n, 3);
    check(memcmp(nul, "a\0b", 4) == 0);
    check(piece_bytes(PIECE("12"), &n) == NULL);
    check(piece_text((struct piece){ 0 }) == NULL);
}

TEST(numbers)
{
    int64_t n;
    double d;
    check(piece_int(PIECE("-12"), &n) && n == -12);
    check(!piece_int(PIECE("1.5"), &n));
    check(!piece_int(PIECE("null"), &n));
    check(piece_num(PIECE("1.5"), &d) && d > 1.4 && d < 1.6);
    check(!piece_num((struct piece){ 0 }, &d));
}

/* Every beginning of a text, each in memory of exactly its size: valgrind and ASan see a read behind it. */
TEST(broken_text_is_not_overrun)
{
    static const char text[] = "{\"id\":12,\"name\":\"a\\\"b\",\"list\":[{\"x\":[1,2]},\"s\"],\"z\":tru";
    for (size_t n = 0; n < sizeof(text); n++) {
        check_row(n);
        char *cut = xmalloc(n + !n);
        memcpy(cut, text, n);
        struct piece v[3], item, whole = { cut, n };
        scan_members(whole, names, 3, v);
        for (size_t i = 0; i < 3; i++) {
            check(!v[i].at || (v[i].at >= cut && v[i].at + v[i].n <= cut + n));
            size_t left = 100;
            for (size_t at = 0; left > 0 && scan_item(v[i], &at, &item); left--)
                check(item.at >= cut && item.at + item.n <= cut + n);
            check(left > 0);
            own_text string = piece_text(v[i]);
            (void)string;
        }
        free(cut);
    }
}

UNIT_MAIN()
