/* src/os/signame.h: what a signal is called. */
#pragma once

enum { OS_SIGNAME = 24 };

/* "SIGKILL", "SIGRTMIN+3" */
const char *os_signame(int sig, char out[OS_SIGNAME]);

/* Without "SIG"; NULL for a number without a name of its own. */
const char *os_signame_short(int sig);

int os_signal_last(void); /* the highest number a signal may have */

/* The lowest number of a realtime signal; above os_signal_last() where there are none. */
int os_signal_first_realtime(void);
