#include "cli/table.h"

#include "base/unit.h"

static const struct table_column columns[] = {
    { "id", .right = true },
    { "name", .shrinks = true },
    { "restarts", .symbol = "↺", .right = true, .rank = 1 },
    { "watching", .rank = 2 },
};

static char *print(const char *name, const struct table_look *look)
{
    struct table *t = table_new(columns, ARRAY_LEN(columns));
    own_buf out = { 0 };
    table_add(t, (const char *const[]){ "0", "api", "12", "no", NULL }, 1, "green");
    table_add(t, (const char *const[]){ "10", name, "3", "no", NULL }, 1, NULL);
    table_print(t, look, &out);
    table_free(t);
    return buf_steal(&out);
}

/* Characters of the longest line. */
static int widest(const char *text)
{
    int most = 0, n = 0;
    for (; *text; text++) {
        n = *text == '\n' ? 0 : n + ((*text & 0xc0) != 0x80);
        most = MAX(most, n);
    }
    return most;
}

TEST(plain_columns_have_no_trailing_blanks)
{
    struct table_look look = { 0 };
    own_text got = print("worker", &look);
    check_text(got, "id  name    restarts  watching\n"
                    " 0  api           12  no\n"
                    "10  worker         3  no\n");
}

TEST(boxes)
{
    struct table_look utf8 = { .boxes = true, .utf8 = true, .width = 80 };
    own_text got = print("worker", &utf8);
    check_text(got, "┌────┬────────┬────┬──────────┐\n"
                    "│ id │ name   │  ↺ │ watching │\n"
                    "├────┼────────┼────┼──────────┤\n"
                    "│  0 │ api    │ 12 │ no       │\n"
                    "│ 10 │ worker │  3 │ no       │\n"
                    "└────┴────────┴────┴──────────┘\n");
    struct table_look ascii = { .boxes = true, .width = 80 };
    own_text plain = print("worker", &ascii);
    check_contains(plain, "| id | name   | restarts | watching |\n+----+--------+----------+----------+\n");
}

TEST(colors_do_not_shift_columns)
{
    struct table_look look = { .colors = true };
    own_text got = print("worker", &look);
    check_contains(got, " 0  \033[32mapi\033[0m           12  no\n");
}

TEST(narrow_terminals)
{
    static const char long_name[] = "a-very-long-name-of-an-app-that-does-not-fit";
    static const struct {
        int width;
        const char *has, *has_not;
    } rows[] = {
        { 80, "watching", "…" },  { 60, "a-very-long-name-of-an-app-that", "that-does-not-fit" },
        { 46, "watching", NULL }, { 40, "↺", "watching" },
        { 30, "name", "↺" },      { 20, "a-very-lon…", "↺" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct table_look look = { .boxes = true, .utf8 = true, .width = rows[i].width };
        own_text got = print(long_name, &look);
        check(widest(got) <= rows[i].width);
        check_contains(got, rows[i].has);
        check(!rows[i].has_not || !strstr(got, rows[i].has_not));
    }
}

/* Whatever the width, down to what id and six letters of a name need. */
TEST(no_line_is_wider_than_the_terminal)
{
    for (int width = 15; width < 120; width++)
        for (int boxes = 0; boxes < 2; boxes++) {
            check_row((size_t)width);
            struct table_look look = { .boxes = boxes, .utf8 = boxes, .width = width };
            own_text got = print("a-very-long-name-of-an-app-that-does-not-fit", &look);
            check(widest(got) <= width);
        }
}

UNIT_MAIN()
