#include "base/unit.h"

#include <unistd.h>

#include "base/log.h"

/* What is logged, without the time and the pid in front. */
static void logged(const char *text, char *out, size_t room)
{
    int ends[2], err = dup(STDERR_FILENO);
    check_int(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_info("%s", text);
    dup2(err, STDERR_FILENO);
    close(err);
    close(ends[1]);
    ssize_t n = read(ends[0], out, room - 1);
    close(ends[0]);
    check(n > 0);
    out[n] = '\0';
    const char *at = strstr(out, "]: ");
    check(at != NULL);
    memmove(out, at + 3, strlen(at + 3) + 1);
}

/* A name in a message cannot feign a message. */
TEST(a_message_is_one_line)
{
    char got[2048], longest[1500];
    logged("a\nb\x1b[2J \xc3\xa4", got, sizeof(got));
    check_text(got, "a\\nb\\x1b[2J \xc3\xa4\n");
    memset(longest, '\n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    logged(longest, got, sizeof(got));
    check(strlen(got) < 1024 && strchr(got, '\n') == got + strlen(got) - 1);
}

UNIT_MAIN()
