/* src/os/procstat.h: who is running: one process, or all of them in one pass. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/def.h"

struct proc_info {
    pid_t pid, ppid, pgrp, session;
    char state;     /* 'Z' is a zombie, 'X' dead */
    bool exiting;   /* on its way there: its memory and environment may be gone while state says running */
    bool executed;  /* it is a program of its own: not between fork and exec (Linux; elsewhere always true) */
    uint64_t start; /* ticks since boot: with the pid it names a process for ever (proc(5), field 22) */
    uint64_t cpu;   /* user and system time of all threads, in ticks (fields 14, 15) */
    uint64_t rss;   /* bytes (field 24, in pages) */
    int exit_status; /* of a zombie: as wait(2) would tell (field 52; 0 where we may not see it) */
};
long procstat_ticks_per_second(void);

/* The process's name (comm, at most 15 bytes); "?" when it is gone. */
void procstat_name(pid_t pid, char out[20]);

/* By a debugger: a zombie that is one's own is reaped once that one has looked at it. */
bool procstat_is_traced(pid_t pid);

/* False: errno is ESRCH when there is no such process; anything else (EMFILE, ENOMEM, EACCES) says nothing of
 * it. */
bool procstat_read(pid_t pid, struct proc_info *out);

/* The process of this number and start time (0: whatever it is), a zombie too. What cannot be looked at is
 * unknown, and not dead. *out is filled when it is there. */
enum procstat_there { PROCSTAT_GONE, PROCSTAT_THERE, PROCSTAT_UNKNOWN };
enum procstat_there procstat_look(pid_t pid, uint64_t start, struct proc_info *out);

/* Every process, in one pass over /proc. Returns the count, or -1 with errno, also when it is we
 * who lack the means to look at one (EMFILE, ENOMEM). *out is malloced; *vanished
 * counts those that ended between being listed and being read. skip, if not NULL, is asked about each; those
 * it says true to are not looked at. */
typedef bool procstat_skip(void *arg, pid_t pid);
ssize_t procstat_all(struct proc_info **out, size_t *vanished, procstat_skip *skip, void *arg);

/* The real user of a process, who it is to kill(2); readable for everybody. False when there is no such
 * process. */
bool procstat_user(pid_t pid, uid_t *out);

/* The children of a process, zombies too, orphans that fell to it too. Of our own the list can only grow
 * while nobody reaps them; of others it may lack some. Returns the count, or -1: there is no such process, or
 * the system has no such list (Linux: CONFIG_PROC_CHILDREN). *out is malloced. */
ssize_t procstat_children(pid_t pid, pid_t **out);

/* The value of a variable in the environment the process was exec'ed with. */
enum procstat_env {
    PROCSTAT_ENV_FOUND,
    PROCSTAT_ENV_ABSENT,
    PROCSTAT_ENV_HIDDEN, /* not to be read, or empty: it is ending, or in the middle of an exec */
};
enum procstat_env procstat_get_env(pid_t pid, const char *name, char *out, size_t size);

/* kill(2) for a process known by pid and start time, through a pidfd where there is one, so that a reused pid
 * is never hit. -1 and ESRCH when it is gone. */
int procstat_kill(pid_t pid, uint64_t start, int sig);
