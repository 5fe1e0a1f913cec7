#include "base/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scribe.h"

static int was, ends[2];

static void begin(void)
{
    was = dup(STDERR_FILENO);
    check_int(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_divert(scribe_take);
}

/* Nobody writes any more: what stands in the pipe. */
static char *end(void)
{
    static char got[1 << 20];
    size_t n = 0;
    dup2(was, STDERR_FILENO);
    close(was);
    for (ssize_t r; (r = read(ends[0], got + n, sizeof(got) - 1 - n)) > 0;)
        n += (size_t)r;
    close(ends[0]);
    got[n] = '\0';
    return got;
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

TEST(all_of_it_is_written_in_order_by_the_end)
{
    for (int round = 0; round < 20; round++) {
        begin();
        for (int i = 0; i < 300; i++)
            log_info("line %d.", i);
        scribe_end(10000);
        log_info("line 300.");
        const char *at = end();
        for (int i = 0; i <= 300; i++) {
            char words[32];
            snprintf(words, sizeof(words), "]: line %d.\n", i);
            at = strstr(at, words);
            check(at != NULL);
        }
    }
}

TEST(nothing_said_is_no_thread)
{
    begin();
    scribe_end(10000);
    check_text(end(), "");
}

/* The pipe is full after 64 KiB, the room after 128 more. */
TEST(who_does_not_read_costs_lines_and_no_time)
{
    static char words[801];
    memset(words, 'x', sizeof(words) - 1);
    begin();
    for (int i = 0; i < 1000; i++)
        log_info("%s", words);
    scribe_end(10);
    int flags = fcntl(ends[0], F_GETFL);
    fcntl(ends[0], F_SETFL, flags | O_NONBLOCK);
    char *got = calloc(1, 2 << 20);
    size_t n = 0;
    struct pollfd p = { .fd = ends[0], .events = POLLIN };
    while (poll(&p, 1, 200) > 0) /* all that comes by itself */
        n += (size_t)read(ends[0], got + n, 65536);
    size_t heard = count(got, "xxx\n");
    check(heard > 140 && heard < 300); /* the thread may not have had a turn: then it is the room alone */
    log_info("heard");
    scribe_end(10000);
    n += (size_t)read(ends[0], got + n, 65536);
    char lost[64];
    snprintf(lost, sizeof(lost), "]: %zu lines of this log were lost", 1000 - heard);
    const char *at = strstr(got, lost);
    check(at != NULL);
    check(at && strstr(at, "]: heard\n"));
    free(got);
    end();
}

UNIT_MAIN()
