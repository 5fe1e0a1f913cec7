#include "cli/words.h"

#include <signal.h>

#include "base/unit.h"
#include "cli/args.h"
#include "conf/spec.h"

TEST(numbers_of_instances)
{
    static const struct {
        const char *word;
        bool change;
        int64_t n;
    } rows[] = {
        { "4", false, 4 }, { "0", false, 0 },   { "1024", false, 1024 },
        { "+2", true, 2 }, { "-2", true, -2 },  { "max", false, INSTANCES_MAX },
        { "+0", true, 0 }, { "007", false, 7 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct err e;
        struct words_scale got;
        check_int(words_scale(rows[i].word, &got, &e), 0);
        check_int(got.change, rows[i].change);
        check_int(got.n, rows[i].n);
    }
}

TEST(no_numbers_of_instances)
{
    static const char *const rows[] = {
        "", "+", "-", "x", "4x", "1.5", "--2", "+-2", " 4", "MAX", "99999999999999999999"
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct err e;
        struct words_scale got;
        check_int(words_scale(rows[i], &got, &e), -1);
        check_int(e.code, ERR_USAGE);
        check_contains(e.text, "expected a number");
    }
}

/* The rule of scale: -2 is a word, other options stay options. */
TEST(negative_numbers_are_words)
{
    static const struct opt opts[] = { { 'f', "follow", OPT_FLAG, "" }, { 0 } };
    struct args_rule rule = { .max = 2, .numbers = true, .tables = { opts } };
    struct args a;
    struct err e;
    check_int(args_parse(&rule, (char *[]){ "api", "-2", "-f", NULL }, &a, &e), 0);
    check_int(a.n_words, 2);
    check_text(a.words[1], "-2");
    check(args_has(&a, "follow"));
    args_done(&a);

    check_int(args_parse(&rule, (char *[]){ "api", "-x", NULL }, &a, &e), -1);
    args_done(&a);
    rule.numbers = false;
    check_int(args_parse(&rule, (char *[]){ "api", "-2", NULL }, &a, &e), -1);
    check_contains(e.text, "unknown option `-2`");
    args_done(&a);
}

TEST(signals)
{
    static const struct {
        const char *word;
        int number;
    } rows[] = {
        { "SIGHUP", SIGHUP }, { "HUP", SIGHUP },     { "hup", SIGHUP }, { "sigusr2", SIGUSR2 },
        { "9", SIGKILL },     { "WINCH", SIGWINCH }, { "64", 64 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct err e;
        int got = 0;
        check_int(words_signal(rows[i].word, &got, &e), 0);
        check_int(got, rows[i].number);
    }
}

TEST(no_signals)
{
    static const struct {
        const char *word, *hint;
    } rows[] = {
        { "SIGHUPP", "did you mean SIGHUP?" },
        { "USR3", "did you mean USR1?" },
        { "trem", "did you mean TERM?" },
        { "0", "a name such as SIGHUP" },
        { "65", "a name such as SIGHUP" },
        { "", "a name such as SIGHUP" },
        { "9x", NULL },
        { "nonsense", "a name such as SIGHUP" },
        { "RTMIN+31", "a name such as SIGHUP or HUP, " },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct err e;
        int got = 0;
        check_int(words_signal(rows[i].word, &got, &e), -1);
        check_int(e.code, ERR_USAGE);
        if (rows[i].hint)
            check_contains(e.hint, rows[i].hint);
    }
}

TEST(secrets)
{
    static const char *const secret[] = { "API_KEY",    "GITHUB_TOKEN", "SECRET",    "DB_PASSWORD",
                                          "MYSQL_PASS", "npm_token",    "PASSPHRASE" };
    static const char *const open[] = { "PATH", "HOME", "PORT", "NODE_ENV", "" };
    for (size_t i = 0; i < ARRAY_LEN(secret); i++)
        check(words_is_secret(secret[i]));
    for (size_t i = 0; i < ARRAY_LEN(open); i++)
        check(!words_is_secret(open[i]));
}

UNIT_MAIN()
