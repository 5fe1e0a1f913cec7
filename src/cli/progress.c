/* News tend to come early (49 of 50 apps stop at once) and then nothing for a while: so what is known is kept
 * and an alarm shows it when the second is over. Static, because a signal handler is. */
#include "cli/progress.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/time.h"

enum { SILENT_MS = 1000 };

static const char *name;
static int64_t begun;
static char lines[2][96]; /* one is shown while the other is written */
static volatile sig_atomic_t current = -1, drawn;

static void draw(int sig)
{
    if (current < 0)
        return;
    drawn = 1;
    if (write(STDERR_FILENO, lines[current], strlen(lines[current])) < 0)
        current = -1;
}

void progress_begin(const char *what)
{
    name = what;
    begun = time_mono_ms();
    current = -1;
    drawn = 0;
}

static void set_alarm(int64_t in_ms)
{
    struct sigaction act = { .sa_handler = draw, .sa_flags = SA_RESTART };
    struct itimerval when = { .it_value = { in_ms / 1000, in_ms % 1000 * 1000 } };
    sigaction(SIGALRM, &act, NULL);
    setitimer(ITIMER_REAL, &when, NULL);
}

void progress_set(int64_t done, int64_t of)
{
    if (!isatty(STDERR_FILENO))
        return;
    bool first = current < 0;
    int next = current == 0;
    snprintf(lines[next], sizeof(lines[next]), "\r\033[K%s: %lld of %lld", name, (long long)done,
             (long long)of);
    current = next;
    int64_t left = begun + SILENT_MS - time_mono_ms();
    if (left <= 0)
        draw(0);
    else if (first)
        set_alarm(left);
}

void progress_end(void)
{
    static const char clear[] = "\r\033[K";
    if (current < 0)
        return;
    set_alarm(0);
    current = -1;
    if (drawn && write(STDERR_FILENO, clear, strlen(clear)) < 0)
        drawn = 0;
}
