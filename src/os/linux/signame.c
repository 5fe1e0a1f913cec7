#include "os/signame.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

const char *os_signame_short(int sig)
{
    return sigabbrev_np(sig);
}

const char *os_signame(int sig, char out[OS_SIGNAME])
{
    const char *name = os_signame_short(sig);
    if (name)
        snprintf(out, OS_SIGNAME, "SIG%s", name);
    else if (sig >= SIGRTMIN)
        snprintf(out, OS_SIGNAME, "SIGRTMIN+%d", sig - SIGRTMIN);
    else /* the C library keeps those in between to itself */
        snprintf(out, OS_SIGNAME, "signal %d", sig);
    return out;
}

int os_signal_first_realtime(void)
{
    return SIGRTMIN;
}

int os_signal_last(void)
{
    return SIGRTMAX;
}
