/* src/store/keeper_link.h: velosd's end of the line to velos-keeper: descriptors that are put here outlive
 * us.
 *
 * A put that returned is either in the kernel (safe) or, when the keeper is behind, in our queue, in order;
 * keeper_link_settled() tells which. Who is about to do what must not be lost with us (spawn) asks it first
 * and goes on in `drained`. */
#pragma once
#include <uv.h>

#include "proto/keep.h"

struct keeper_link;

struct keeper_link_events {
    void (*exited)(void *arg, const char *key, pid_t pid, int status); /* an adopted child has ended */
    void (*entry)(void *arg, const struct keep_msg *m);                /* late; takes its descriptors */
    void (*drained)(void *arg);                                        /* settled again */
    void (*gone)(void *arg);                                           /* the keeper is dead */
};

struct keeper_link *keeper_link_new(uv_loop_t *loop, int sock, const struct keeper_link_events *ev,
                                    void *arg);
struct keeper_link *keeper_link_free(struct keeper_link *l);

/* Before the loop runs: blocks until the next entry. 1: *m is filled (descriptors are the caller's); 0: that
 * was all, *keeper_pid is set; -1: the keeper is gone; KEEPER_LINK_SHORT: descriptors of one were lost, since
 * we may have no more. */
enum { KEEPER_LINK_SHORT = -2 };
int keeper_link_next_entry(struct keeper_link *l, struct keep_msg *m, pid_t *keeper_pid);

/* Descriptors stay the caller's. */
void keeper_link_put(struct keeper_link *l, const char *key, const int *fds, size_t n_fds);
void keeper_link_delete(struct keeper_link *l, const char *key);
void keeper_link_say(struct keeper_link *l, enum keep_type type);
void keeper_link_ask_time(struct keeper_link *l, int64_t ms); /* of the service manager, for a stop */
bool keeper_link_settled(const struct keeper_link *l);
void keeper_link_listen(struct keeper_link *l); /* from here on events come */
void keeper_link_hear(struct keeper_link *l);   /* what has arrived, now: events come from inside this call */
void keeper_link_flush(struct keeper_link *l);  /* blocking, at our end: sends what is queued */
