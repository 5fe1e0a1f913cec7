#include "base/unit.h"

#include <unistd.h>

#include "conf/dotenv.h"

/* want: the variables with | between; or, behind "!", the error */
static const struct {
    const char *text, *want;
} rows[] = {
    { "", "" },
    { "\r", "" },
    { "A=1", "A=1" },
    { "A=1\nB=2\n", "A=1|B=2" },
    { "A=1\r\nB='2'\r\n", "A=1|B=2" },
    { "\xef\xbb\xbf"
      "A=1",
      "A=1" },
    { "# comment\n\n   \n\t# another\nA=1", "A=1" },
    { "export A=1\nexport\tB=2", "A=1|B=2" },
    { "export=1\nexported=2", "export=1|exported=2" },
    { " A = 1 ", "A=1" },
    { "A=", "A=" },
    { "A= # none", "A=" },
    { "A=a b  c", "A=a b  c" },
    { "A=a # comment", "A=a" },
    { "A=a#b", "A=a#b" },
    { "A=#x", "A=" },
    { "A='a # b' # c", "A=a # b" },
    { "A=\"a # b\"# c", "A=a # b" },
    { "A='\\n$B'", "A=\\n$B" },
    { "A=\"x\\ny\\tz\\\"q\\\\\\$\\r\"", "A=x\ny\tz\"q\\$\r" },
    { "A=\"\\x\"", "A=\\x" },
    { "A=\\n$B", "A=\\n$B" },
    { "A=''", "A=" },
    { "A=it's", "A=it's" },
    { "A=b=c", "A=b=c" },
    { "A=1\nA=2\nB=3", "A=2|B=3" },
    { "a.b-c_D9=1", "a.b-c_D9=1" },
    { "A=1\n=2", "!line 2: expected NAME=value" },
    { "A", "!line 1: expected NAME=value" },
    { "9A=1", "!line 1: expected NAME=value" },
    { "A B=1", "!line 1: expected NAME=value" },
    { "export", "!line 1: expected NAME=value" },
    { "\nA='x", "!line 2: the quote is not closed" },
    { "A=\"x\\\"", "!line 1: the quote is not closed" },
    { "A='x'y", "!line 1: something stands behind the closing quote" },
    /* quoted values of several lines */
    { "K='-----BEGIN\nab#c=\n-----END' # key\nB=2", "K=-----BEGIN\nab#c=\n-----END|B=2" },
    { "K=\"a\n\nb\\n\\\"c\n\"\nB=2", "K=a\n\nb\n\"c\n|B=2" },
    { "K='a\r\nb\r\n'\r\nB=\"c\r\nd\"\r\n", "K=a\nb\n|B=c\nd" },
    { "K='a\rb\r'", "K=a\rb\r" },
    { "K=\"a\\\nb\"", "K=a\\\nb" },
    { "K=\"a\\\r\nb\"", "K=a\\\nb" },
    { "A=1\nB='x\ny\nC=2\n", "!line 2: the quote is not closed" },
    { "A=1\nB=\"x\ny\nC=2\n", "!line 2: the quote is not closed" },
    { "A=1\nB='x\nC='y'", "!line 3: something stands behind the closing quote, which was opened in line 2" },
    { "A='x\ny'\n\nB", "!line 4: expected NAME=value" },
    { "A=x'y\nB='", "!line 2: the quote is not closed" },
};

TEST(lines)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        own_strv env = NULL;
        own_buf got = { 0 };
        struct err e;
        check_row(i);
        buf_adds(&got, "");
        if (dotenv_parse(rows[i].text, strlen(rows[i].text), &env, &e) < 0)
            buf_addf(&got, "!%s", e.text);
        for (size_t k = 0; env && env[k]; k++)
            buf_addf(&got, "%s%s", k ? "|" : "", env[k]);
        check_text(got.data, rows[i].want);
    }
}

TEST(nul)
{
    own_strv env = NULL;
    struct err e;
    check_int(dotenv_parse("A=1\nB=\0x\n", 9, &env, &e), -1);
    check_text(e.text, "line 2: contains a NUL byte");
    check_int(dotenv_parse("A='\nB=\0x\n'", 10, &env, &e), -1);
    check_text(e.text, "line 2: contains a NUL byte");
}

TEST(many)
{
    own_buf text = { 0 };
    own_strv env = NULL;
    struct err e;
    for (int i = 0; i < 100000; i++)
        buf_addf(&text, "A%d=\n", i);
    buf_adds(&text, "A7=again\n");
    check_int(dotenv_parse(text.data, text.len, &env, &e), 0);
    check_int(strv_len(env), 100000);
    check_text(env[7], "A7=again");
}

TEST(missing_file)
{
    own_strv env = NULL;
    struct err e;
    check_int(dotenv_load("/nonexistent/.env", &env, &e), -1);
    check_text(e.text, "/nonexistent/.env: No such file or directory");
}

/* Opening one whose other end nobody has would not even return. */
TEST(pipe)
{
    own_strv env = NULL;
    struct err e;
    int ends[2];
    check_int(pipe(ends), 0);
    check_int(write(ends[1], "A=1\n", 4), 4);
    close(ends[1]);
    own_text path = xasprintf("/dev/fd/%d", ends[0]);
    own_text want = xasprintf("%s: is a pipe", path);
    check_int(dotenv_load(path, &env, &e), -1);
    check_text(e.text, want);
    close(ends[0]);
}

UNIT_MAIN()
