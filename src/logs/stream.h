/* src/logs/stream.h: from an app's pipe to its sink: as it comes, or line by line in another form. Runs on
 * the pump's thread alone. */
#pragma once
#include "logs/lines.h"
#include "logs/sink.h"
#include "logs/transit.h"

struct stream {
    struct link due;     /* in one of the pump's lists: to be moved this round */
    struct link waiting; /* in sink.waiting: it has no room (a FIFO that is full) */
    uint64_t id;
    int fd;
    bool large : 1;     /* the pipe was grown */
    bool much : 1;      /* the last transfer was large ... */
    bool unwatched : 1; /* ... and so were those before: its turn comes after every rest (logs/works.c) */
    bool busy : 1;      /* ... so large that there is no rest before the next */
    bool brisk : 1;     /* it was busy until then: the next rest is short */
    bool more : 1;      /* something was left: its turn comes again */
    bool hurried : 1;   /* what is there goes now, lines without an end too */
    bool torn : 1;      /* dropped up to the middle of a line: the rest goes too */
    bool dropping : 1;  /* and it was told */
    bool untold : 1;    /* dropped more since it was told */
    bool ending : 1;    /* its run is over: what is there is all there will be */
    bool midline : 1;   /* of a file of several streams: our last piece has no end yet */
    int64_t since;      /* mono us: due from then on */
    int64_t well_at;    /* mono ms: written again since then, and nothing dropped; 0: no */
    int64_t waited, waited_at; /* us: how long its pipe was waited for, less what that is allowed to be since;
                                  as of mono us (logs/works.c) */
    int64_t rest_until;        /* mono us: it waits in works.resting until then */
    struct sink *sink;
    struct lines *lines; /* or NULL: raw */
    int64_t dropped;     /* bytes, in all */
};

/* What streams share, and what they tell. */
struct flow {
    struct sink_env env;
    struct transit *transit; /* or NULL */
    int scratch[2];          /* to peek through, and the room to peek into: made when first needed */
    char *peeked;
    size_t left;  /* of what was peeked at, not taken */
    bool limited; /* the last transfer was cut short by the file, not by what there was */
    struct buf formatted;
    int64_t pipe_us; /* how long apps' pipes were waited for; the caller sets it back */
    void (*trouble)(void *arg, struct stream *st, int error); /* the first drop */
    void (*dropped)(void *arg, struct stream *st);            /* more */
    void (*better)(void *arg, struct stream *st);
    void *arg;
};

void flow_init(struct flow *f);
void flow_done(struct flow *f);

/* Moves what there is, up to a fair share. Returns bytes, dropped ones too. */
enum { STREAM_TURN = 4 << 20 };
size_t stream_move(struct flow *f, struct stream *st);

/* What is in the pipe now, and no more: an app that keeps writing is not waited for. */
void stream_drain(struct flow *f, struct stream *st);

/* The run that wrote to the pipe is over. What it left is moved (`gathered`: there is nothing), and a last
 * line without an end is ended, so that the next run's first does not continue it. */
void stream_end_run(struct flow *f, struct stream *st, bool gathered, bool (*is_void)(void *arg), void *arg);

/* Before the first: how does the file end that it goes on with? */
void stream_begin(struct stream *st);

/* What the daemon before us left half done with this stream. */
void stream_recover(struct flow *f, struct stream *st, const struct transit_left *left);
