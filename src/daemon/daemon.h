/* src/daemon/daemon.h: the wiring: world, control socket, events, and how we take over and leave. */
#pragma once
#include "app/app.h"
#include "daemon/events.h"

struct daemon {
    uv_loop_t loop;
    struct world world;
    const char *home;
    char *keeper_program;
    int sock, lock; /* kept as entries; -1: not there */

    uv_pipe_t listener;
    struct link conns;
    size_t n_conns, partial; /* connections; bytes of unfinished lines in all of them */
    uint64_t next_conn;
    struct events events;
    struct link ops, log_works, sends;
    uint64_t next_log_work;
    uv_timer_t *sync_due; /* NULL: log.files was never asked for */

    struct save *saving, *save_next; /* state.c: being written, and waiting for that; or NULL */
    uv_timer_t save_due, progress_due, trim_due;

    struct link kept;          /* adopt.c: descriptors that are handed on as they came */
    const char *update_failed; /* why the version that was to replace us did not; or NULL */
    int unread;                /* texts of the one before us that we cannot read */

    uv_signal_t term, interrupt;
    uv_timer_t farewell; /* a stalled disk must not keep us from ending */
    bool up;             /* all is adopted */
    bool orphaned;       /* the keeper died before that */
    bool ending;
    enum keep_type last_word; /* KEEP_BYE, KEEP_LEAVE */
    int64_t started_mono;
};

struct daemon_options {
    const char *home;
    int keeper_fd, ready_fd;
    long nofile;
    bool trial;                /* the one before us runs again if we do not get up */
    const char *update_failed; /* why the version that was to replace us did not; or NULL */
};
int daemon_run(const struct daemon_options *o); /* the exit status */

struct op;
/* Stops and forgets every app, then ends; o is a new op whose answer tells. */
void daemon_stop_all(struct daemon *d, struct op *o);
/* Asks the service manager for the time that takes, by what the apps' settings say. */
void daemon_ask_time(struct daemon *d);
/* What a large request or answer took on the way goes back to the system, once for all that come together. */
void daemon_trim_soon(struct daemon *d);
/* Ends once what was answered is sent; word: KEEP_BYE, KEEP_LEAVE. */
void daemon_leave(struct daemon *d, enum keep_type word);

/* adopt.c: reads what the keeper has. -1: it went away meanwhile, what came is adopted all the same.
 * ADOPT_SHORT: some of it could not be received; the keeper has it still, for another velosd. */
enum { ADOPT_SHORT = -2 };
int adopt(struct daemon *d);
void adopt_keep(struct daemon *d, const struct keep_msg *m); /* takes its descriptors; to hand on */
void adopt_done(struct daemon *d);
void adopt_resume(struct daemon *d); /* after the loop's parts run: watches, timers, exits that were missed */
void become_keeper(struct daemon *d); /* the keeper is dead: exec in place; returns only if that fails */
