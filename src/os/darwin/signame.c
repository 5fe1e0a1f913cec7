/* Compiled in CI, not run there. sys_signame has small letters, hence an own table; no realtime signals. */
#include "os/signame.h"

#include <signal.h>
#include <stdio.h>

#include "base/def.h"

static const char *const names[NSIG] = {
    [SIGHUP] = "HUP",     [SIGINT] = "INT",   [SIGQUIT] = "QUIT",     [SIGILL] = "ILL",   [SIGTRAP] = "TRAP",
    [SIGABRT] = "ABRT",   [SIGEMT] = "EMT",   [SIGFPE] = "FPE",       [SIGKILL] = "KILL", [SIGBUS] = "BUS",
    [SIGSEGV] = "SEGV",   [SIGSYS] = "SYS",   [SIGPIPE] = "PIPE",     [SIGALRM] = "ALRM", [SIGTERM] = "TERM",
    [SIGURG] = "URG",     [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP",     [SIGCONT] = "CONT", [SIGCHLD] = "CHLD",
    [SIGTTIN] = "TTIN",   [SIGTTOU] = "TTOU", [SIGIO] = "IO",         [SIGXCPU] = "XCPU", [SIGXFSZ] = "XFSZ",
    [SIGPROF] = "PROF",   [SIGUSR1] = "USR1", [SIGVTALRM] = "VTALRM", [SIGUSR2] = "USR2", [SIGINFO] = "INFO",
    [SIGWINCH] = "WINCH",
};

const char *os_signame_short(int sig)
{
    return sig > 0 && sig < NSIG ? names[sig] : NULL;
}

const char *os_signame(int sig, char out[OS_SIGNAME])
{
    const char *name = os_signame_short(sig);
    if (name)
        snprintf(out, OS_SIGNAME, "SIG%s", name);
    else
        snprintf(out, OS_SIGNAME, "signal %d", sig);
    return out;
}

int os_signal_first_realtime(void)
{
    return NSIG;
}

int os_signal_last(void)
{
    return NSIG - 1;
}
