#include "base/unit.h"

#include <errno.h>

#include "base/err.h"

TEST(context_goes_in_front)
{
    struct err e;
    errno = ENOENT;
    check_int(err_sys(&e, "open %s", "x"), -1);
    check_int(e.code, ERR_FAILED);
    check_int(e.sys, ENOENT);
    check_text(e.text, "open x: No such file or directory");
    check_int(err_in(&e, "load %s", "api"), -1);
    check_text(e.text, "load api: open x: No such file or directory");
    check_text(e.hint, "");
    check_int(err_hint(&e, "try %d", 1), -1);
    check_text(e.hint, "try 1");
}

TEST(set_forgets_what_was)
{
    struct err e;
    errno = EIO;
    err_sys(&e, "x");
    err_hint(&e, "y");
    err_set(&e, ERR_USAGE, "z");
    check_int(e.sys, 0);
    check_text(e.hint, "");
}

TEST(long_texts_are_cut)
{
    struct err e;
    char longest[2000];
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    err_set(&e, ERR_FAILED, "%s", longest);
    check_int(strlen(e.text), sizeof(e.text) - 1);
    check_text(e.text + sizeof(e.text) - 4, "...");
    err_in(&e, "%s", longest);
    check_int(strlen(e.text), sizeof(e.text) - 1);
    err_hint(&e, "%s", longest);
    check_text(e.hint + sizeof(e.hint) - 4, "...");
}

TEST(codes_have_names_and_numbers)
{
    for (enum err_code c = ERR_FAILED; c < ERR_N; c++) {
        check(err_code_name(c) != NULL);
        check_int(err_code_find(err_code_name(c)), c);
        check(err_exit_status(c) >= 1 && err_exit_status(c) <= 5);
        for (enum err_code other = ERR_FAILED; other < c; other++)
            check(err_rpc_number(c) != err_rpc_number(other));
    }
    check_int(err_code_find("of a later version"), ERR_FAILED);
}

UNIT_MAIN()
