/* src/logs/pump.h: the second thread: bytes from the pipes of apps to their log files, and nothing else, so
 * that a stalled disk delays no restart, no stop and no reply.
 *
 * Bytes go by splice(2): what is not in the file yet is in the pipe still, so a SIGKILL of the daemon at any
 * instant loses and doubles nothing. A stream rests about 1 ms before a transfer while transfers come back
 * small: lines gather, and the app is not woken for each. The two threads share two message queues. */
#pragma once
#include <uv.h>

#include "base/text.h"

struct pump;

enum pump_news_type {
    PUMP_OPENED,  /* the stream's file is open, bytes flow */
    PUMP_FAILED,  /* it could not be opened: error, text; the stream is not added */
    PUMP_REMOVED, /* drained; its descriptor may be closed now */
    PUMP_TROUBLE, /* writing fails: error; bytes are dropped from here on; said once */
    PUMP_BETTER,  /* writing works again: dropped bytes so far */
};
struct pump_news {
    enum pump_news_type type;
    uint64_t stream;
    int error; /* errno */
    int64_t dropped;
};
typedef void pump_told(void *arg, const struct pump_news *news);

/* Starts the thread. `told` is called on `loop`'s thread. */
struct pump *pump_new(uv_loop_t *loop, pump_told *told, void *arg);
struct pump *pump_free(struct pump *p); /* ends the thread; what is in pipes stays there */

/* stream: a number of the caller's choosing, unused at the time. fd: the read end, non-blocking; it stays the
 * caller's, who closes it after PUMP_REMOVED (or PUMP_FAILED). Streams with the same path share one file.
 * What if the file cannot be opened: a new app is told (PUMP_FAILED); one that runs already goes on, its
 * bytes dropped and counted, until the file can be. */
enum pump_need { PUMP_OR_FAIL, PUMP_OR_DROP };
void pump_add(struct pump *p, uint64_t stream, int fd, const char *path, enum pump_need need);
void pump_remove(struct pump *p, uint64_t stream);
void pump_hurry(struct pump *p, uint64_t stream); /* what is in the pipe goes to the file without a rest */
