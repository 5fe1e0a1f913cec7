/* src/base/unit.h: unit tests beside the code, on cmocka. A test file is
 *
 *     #include "base/unit.h"
 *     TEST(next_run) { check_text(..., "2024-01-01"); }
 *     UNIT_MAIN()
 *
 * TEST registers itself; UNIT_MAIN runs all of the file. CHECK in a table loop: name the row with
 * check_row(i) first, so that a failure tells which. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { UNIT_MOST = 200 };
static struct CMUnitTest unit_tests[UNIT_MOST];
static size_t unit_len;
static char unit_row[32];

#define TEST(name)                                                                                           \
    static void body_##name(void **state);                                                                   \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        unit_row[0] = '\0';                                                                                  \
        body_##name(state);                                                                                  \
    }                                                                                                        \
    __attribute__((constructor)) static void register_##name(void)                                           \
    {                                                                                                        \
        unit_tests[unit_len++] = (struct CMUnitTest){ #name, test_##name, NULL, NULL, NULL };                \
    }                                                                                                        \
    static void body_##name(void **state)

#define UNIT_MAIN()                                                                                          \
    int main(void)                                                                                           \
    {                                                                                                        \
        return _cmocka_run_group_tests(__FILE__, unit_tests, unit_len, NULL, NULL);                          \
    }

#define check(cond)                                                                                          \
    do {                                                                                                     \
        bool unit_ok = (cond);                                                                               \
        unit_tell(unit_ok);                                                                                  \
        _assert_true(unit_ok, #cond, __FILE__, __LINE__);                                                    \
    } while (0)
#define check_int(a, b)                                                                                      \
    do {                                                                                                     \
        intmax_t unit_a = (intmax_t)(a), unit_b = (intmax_t)(b);                                             \
        unit_tell(unit_a == unit_b);                                                                         \
        assert_int_equal(unit_a, unit_b);                                                                    \
    } while (0)
#define check_text(a, b)                                                                                     \
    do {                                                                                                     \
        const char *unit_a = (a), *unit_b = (b);                                                             \
        unit_tell(unit_a &&unit_b &&strcmp(unit_a, unit_b) == 0);                                            \
        assert_non_null(unit_a);                                                                             \
        assert_string_equal(unit_a, unit_b);                                                                 \
    } while (0)
#define check_contains(text, part)                                                                           \
    do {                                                                                                     \
        const char *unit_text = (text), *unit_part = (part);                                                 \
        if (!strstr(unit_text, unit_part)) {                                                                 \
            unit_tell(false);                                                                                \
            fail_msg("`%s` does not contain `%s`", unit_text, unit_part);                                    \
        }                                                                                                    \
    } while (0)

/* Which row of a table is being tested: told when a check fails. */
#define check_row(i) ((void)snprintf(unit_row, sizeof(unit_row), "row %zu", (size_t)(i)))
static inline void unit_tell(bool ok)
{
    if (!ok && unit_row[0])
        fprintf(stderr, "%s:\n", unit_row);
}
