/* src/logs/pump.h: the second thread: bytes from the pipes of apps to their log files, and nothing else, so
 * that a stalled disk delays no restart, no stop and no reply. It rotates, empties and reopens the files too.
 *
 * Bytes go by splice(2): what is not in the file yet is in the pipe still, or in the transit pipe, which the
 * keeper holds as well: a SIGKILL of the daemon at any instant loses and doubles nothing. A stream rests
 * about 1 ms before a transfer while transfers come back small: lines gather, and the app is not woken for
 * each. The two threads share two message queues. */
#pragma once
#include <uv.h>

#include "logs/lines.h"
#include "logs/rotate.h"
#include "logs/sink.h"
#include "logs/transit.h"

struct pump;

enum pump_news_type {
    PUMP_OPENED,  /* the stream's file is open, bytes flow */
    PUMP_FAILED,  /* it could not be opened: error; the stream is not added */
    PUMP_REMOVED, /* drained; its descriptor may be closed now */
    PUMP_TROUBLE, /* writing fails: error; bytes are dropped from here on; said once */
    PUMP_DROPPED, /* so many by now; at most once a second */
    PUMP_BETTER,  /* writing works again: dropped bytes so far */
    PUMP_ENDED,   /* what pump_end_run() asked for is done, or will not be: its ticket is in `bytes` */
    PUMP_STALLED, /* pump_busy_for() rises: the thread's id is in `bytes`, how often it was told in `error` */
    PUMP_NOTE,    /* somebody else did something to the file, or it cannot be rotated: note, error */
    PUMP_SENT,    /* what pump_send() was to write, by its ticket: `bytes` of it were taken, or error */
    PUMP_DONE,    /* a sync, flush or reopen, by its ticket in `stream`: bytes that were freed, error */
};
struct pump_news {
    enum pump_news_type type;
    enum sink_note note;
    uint64_t stream, ticket;
    int error;     /* errno */
    int64_t bytes; /* dropped, or freed */
};
typedef void pump_told(void *arg, const struct pump_news *news);

/* The thread comes with the first order that needs it. `told` is called on `loop`'s thread. NULL and errno:
 * there is no descriptor for it, and the program is to end. */
struct pump *pump_new(uv_loop_t *loop, pump_told *told, void *arg);
/* Ends the thread; what is in pipes stays there. One that hangs in a stalled disk is left behind. */
struct pump *pump_free(struct pump *p);

/* Before streams are added: transit_make()'s, which stay the caller's. Without it a busy app's bytes go
 * straight from pipe to file, and formatted lines may be doubled by a SIGKILL. */
void pump_use_transit(struct pump *p, const int fds[TRANSIT_FDS]);
/* All streams that were adopted are added: from here on bytes flow. */
void pump_begin(struct pump *p);

/* Where a stream goes and how; the texts are copied, and the rights. */
struct pump_target {
    const char *path;
    const struct rights *rights; /* of the app's user; NULL: the daemon's own (logs/place.h) */
    struct rotate_rules rotate;
    bool formatted;
    struct lines_rules lines;
};

/* stream: a number of the caller's choosing, unused at the time, and the same in the next daemon. fd: the
 * read end, non-blocking; it stays the caller's, who closes it after PUMP_REMOVED (or PUMP_FAILED). Streams
 * with the same path share one file. What if the file cannot be opened: a new app is told (PUMP_FAILED); one
 * that runs already goes on, its bytes dropped and counted, until the file can be. */
enum pump_need { PUMP_OR_FAIL, PUMP_OR_DROP };
void pump_add(struct pump *p, uint64_t stream, int fd, const struct pump_target *to, enum pump_need need);
void pump_change(struct pump *p, uint64_t stream, const struct pump_target *to); /* from here on */
void pump_remove(struct pump *p, uint64_t stream);
void pump_hurry(struct pump *p, uint64_t stream); /* what is in the pipe goes to the file without a rest */

/* The run that wrote to the stream is over, and the next will: what is in the pipe goes to the file, and a
 * last line without an end is ended there. PUMP_ENDED answers. Where the thread hangs it answers without the
 * deed after a moment: then `stream` is 0, and it is for all tickets up to this one. take_input: a pipe of
 * which the last run did not read everything: that is taken out and forgotten; or -1. gathered: nothing is in
 * the pipe, and pump_is_idle() was said before that was seen. Returns a ticket. */
unsigned pump_end_run(struct pump *p, uint64_t stream, bool gathered, int take_input);
bool pump_has_ended(const struct pump *p, unsigned ticket);
bool pump_is_stalled(const struct pump *p); /* it hangs, and has for a while: no use to ask */
/* The thread waits for work, as it did then: it has touched no pipe in between, and obeys orders first. */
struct pump_idle {
    bool idle;
    unsigned turn;
};
struct pump_idle pump_is_idle(const struct pump *p);
bool pump_was_idle(const struct pump *p, struct pump_idle since);

/* Writes to the stdin of the stream's app, for the main thread must not wait for that pipe's lock. fd:
 * non-blocking. After `until` (mono ms) it is not done any more. PUMP_SENT answers. */
void pump_send(struct pump *p, uint64_t stream, uint64_t ticket, int take_fd, char *take_text, int64_t until);

/* For how long (ms) the thread has been at the same piece of work, as far as can be told: since the first
 * time this was asked meanwhile. Much: a disk hangs. -1: it has nothing to do. *stream: whose it is; 0:
 * none's. */
int64_t pump_busy_for(struct pump *p, uint64_t *stream);

/* All three answer with PUMP_DONE. Once what is in the pipes now is in the files. */
void pump_sync(struct pump *p, uint64_t ticket);
/* The file need not be any stream's. */
void pump_flush(struct pump *p, uint64_t ticket, const struct pump_target *to);
void pump_reopen(struct pump *p, uint64_t ticket, const struct pump_target *to);
