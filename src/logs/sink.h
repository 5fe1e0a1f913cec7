/* src/logs/sink.h: a log file while it is written: opened, followed when somebody else moves, truncates or
 * replaces it, rotated when it is full, done without while it cannot be written.
 *
 * Written at an offset of ours (splice refuses O_APPEND), so each turn begins with a look at the file's size.
 */
#pragma once
#include <sys/types.h>

#include "base/list.h"
#include "logs/marks.h"
#include "logs/place.h"
#include "logs/rotate.h"

/* What is worth a word in the daemon's log, once a file and kind. */
enum sink_note {
    SINK_NOTE_TRUNCATED,   /* by somebody else: going on at its new end */
    SINK_NOTE_REPLACED,    /* ... going on in the new file */
    SINK_NOTE_DELETED,     /* ... made anew */
    SINK_NOTE_NO_ROTATION, /* errno: going on in the same file */
    SINK_NOTE_N
};

struct sink {
    struct link link;
    struct link waiting; /* streams that wait for room (logs/stream.h) */
    int fd;              /* -1: it cannot be opened just now */
    int refs;
    int16_t error;    /* errno of the trouble we are in, or 0 */
    bool plain : 1;   /* a regular file, written at `offset`; else a FIFO or device, written as it comes */
    bool device : 1;  /* a terminal, /dev/null, our own standard output: it has no archives */
    bool blocks : 1;  /* others share its flags: a write may block (sink_is_ready) */
    bool missing : 1; /* its name was gone at the last look */
    bool compressing : 1;   /* one of its archives is, or is to be */
    bool rotated_since : 1; /* ... that was asked for */
    bool unended : 1;       /* the last line was not ended by who wrote it ... */
    uint8_t said;           /* bits of sink_note */
    struct rotate rotate;
    uint64_t unended_by; /* ... which is this stream */
    ino_t inode;
    dev_t dev;
    int64_t offset;  /* -1: not plain */
    int64_t full_at; /* size from which on a rotation is due; INT64_MAX: never */
    int64_t cut_at;  /* ... even in the middle of a line: it is longer than a file may be */
    int64_t looked_at, retry_at, stuck_at; /* mono ms; stuck_at: no room since, 0: there is */
    struct rotate_rules rules;
    struct marks marks;
    struct rights *rights; /* of the app's user; NULL: our own. Those of the first stream that came */
    char *file;  /* where it is: `path`, or what that is a link to (logs/target.h), as it was when it was
                    opened */
    char path[]; /* its name: streams that have the same one share it, if they have the same rights there */
};

/* What sinks use and tell. */
struct sink_env {
    struct marks_cache *marks;
    struct rotate_trash trash;
    void (*note)(void *arg, struct sink *s, enum sink_note what, int error);
    void (*rotated)(void *arg, struct sink *s);
    void *arg;
    int64_t now_us, now_ms; /* wall, mono: read once a round */
};

struct sink *sink_new(const char *path, const struct rotate_rules *rules, const struct rights *rights);
/* The streams of two users share a file where only root can change its path; elsewhere each has it with the
 * rights of its own. */
bool sink_is_shared_with(const struct sink *s, const struct rights *rights);
struct sink *sink_free(struct sink_env *env, struct sink *s);
void sink_set_rules(struct sink *s, const struct rotate_rules *rules);
void sink_set_rights(struct sink *s, const struct rights *rights);

bool sink_open(struct sink_env *env, struct sink *s); /* false and errno */
/* Once a turn: is the file still what and where it was? */
void sink_look(struct sink_env *env, struct sink *s);
/* Closes and opens by name. False and errno: the old file is still written. */
bool sink_reopen(struct sink_env *env, struct sink *s);
int64_t sink_flush(struct sink_env *env, struct sink *s); /* empties it, deletes archives; bytes */

/* Can be written, as far as we know: opens it if it is time to try again. */
bool sink_usable(struct sink_env *env, struct sink *s);
void sink_failed(struct sink_env *env, struct sink *s, int error);

/* Bytes until the file is full; at least 1: a full one is rotated first, if a line ends there. *at_line: it
 * is full and no line ends there: only the rest of that line may go in. */
int64_t sink_room(struct sink_env *env, struct sink *s, bool *at_line);
bool sink_rotate(struct sink_env *env, struct sink *s); /* true: what is written now is another file */
/* A write of what sink_room() says does not block. False and EAGAIN. */
bool sink_is_ready(const struct sink *s);
bool sink_ends_line(const struct sink *s);
void sink_mark(struct sink_env *env, struct sink *s);
