/* Signals as settings and command lines name them. */
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/keys.h"
#include "os/signame.h"

/* The numbers differ between systems, the names do not. */
static const struct {
    const char *name;
    int number;
} signals[] = {
    { "SIGHUP", SIGHUP },       { "SIGINT", SIGINT },   { "SIGQUIT", SIGQUIT }, { "SIGILL", SIGILL },
    { "SIGTRAP", SIGTRAP },     { "SIGABRT", SIGABRT }, { "SIGBUS", SIGBUS },   { "SIGFPE", SIGFPE },
    { "SIGKILL", SIGKILL },     { "SIGUSR1", SIGUSR1 }, { "SIGSEGV", SIGSEGV }, { "SIGUSR2", SIGUSR2 },
    { "SIGPIPE", SIGPIPE },     { "SIGALRM", SIGALRM }, { "SIGTERM", SIGTERM }, { "SIGCHLD", SIGCHLD },
    { "SIGCONT", SIGCONT },     { "SIGSTOP", SIGSTOP }, { "SIGTSTP", SIGTSTP }, { "SIGTTIN", SIGTTIN },
    { "SIGTTOU", SIGTTOU },     { "SIGURG", SIGURG },   { "SIGXCPU", SIGXCPU }, { "SIGXFSZ", SIGXFSZ },
    { "SIGVTALRM", SIGVTALRM }, { "SIGPROF", SIGPROF }, { "SIGSYS", SIGSYS },   { "SIGWINCH", SIGWINCH },
    { "SIGIO", SIGIO },
#ifdef SIGPWR
    { "SIGPWR", SIGPWR },
#endif
};

static int find_number(const char *digits)
{
    char *end;
    long n = strtol(digits, &end, 10);
    return *end == '\0' && n >= 1 && n <= os_signal_last() ? (int)n : 0;
}

/* RTMIN, RTMIN+3, RTMAX, RTMAX-3. Where the range begins is the C library's choice: the number may differ
 * between machines, as it does for kill(1). */
static int find_realtime(const char *name)
{
    int first = os_signal_first_realtime(), last = os_signal_last();
    bool from_last = strncasecmp(name, "RTMAX", 5) == 0;
    if (first > last || (!from_last && strncasecmp(name, "RTMIN", 5) != 0))
        return 0;
    const char *rest = name + 5;
    if (!*rest)
        return from_last ? last : first;
    if (*rest != (from_last ? '-' : '+') || !isdigit((unsigned char)rest[1]))
        return 0;
    char *end;
    long n = strtol(rest + 1, &end, 10);
    if (*end || n > last - first)
        return 0;
    return from_last ? last - (int)n : first + (int)n;
}

/* Names of this system alone: SIGSTKFLT, and SIGPOLL for SIGIO. */
static int find_system_name(const char *name)
{
    for (int sig = 1; sig <= os_signal_last(); sig++) {
        const char *known = os_signame_short(sig);
        if (known && strcasecmp(known, name) == 0)
            return sig;
    }
    return 0;
}

int key_signal_find(const char *name)
{
    if (isdigit((unsigned char)*name))
        return find_number(name);
    const char *bare = name + (strncasecmp(name, "SIG", 3) == 0 ? 3 : 0);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        if (strcasecmp(signals[i].name + 3, bare) == 0)
            return signals[i].number;
    int realtime = find_realtime(bare);
    return realtime ? realtime : find_system_name(bare);
}

const char *key_signal_name(int64_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        if (signals[i].number == number)
            return signals[i].name;
    return NULL;
}

static const char *nearest(const char *name)
{
    const char *names[2 * ARRAY_LEN(signals) + 1];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        names[n++] = signals[i].name;
        names[n++] = signals[i].name + 3;
    }
    names[n] = NULL;
    return text_nearest(name, names);
}

int key_signal_hint(const char *name, struct err *e)
{
    const char *near = nearest(name);
    int last = os_signal_last(), realtime = last - os_signal_first_realtime();
    if (near)
        return err_hint(e, "did you mean %s?", near);
    if (realtime < 0)
        return err_hint(e, "a name such as SIGHUP or HUP, or a number from 1 to %d", last);
    return err_hint(
        e,
        "a name such as SIGHUP or HUP, SIGRTMIN+n or SIGRTMAX-n (n up to %d), or a number from 1 to "
        "%d",
        realtime, last);
}
