/* src/proto/keep.h: what velosd and velos-keeper say to each other, over a SOCK_SEQPACKET pair.
 *
 * Texts need no words: they are in the ledger (store/ledger.h), which is itself one of the descriptors that
 * travel here. A message is a head and a key, with descriptors beside it (SCM_RIGHTS). What was sent is safe:
 * it lies in the kernel, whatever happens to the sender next. libc only. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/text.h"

enum keep_type {
    /* velosd to the keeper */
    KEEP_PUT = 1, /* key, fds: keep these, in place of what was there */
    KEEP_DELETE,  /* key */
    KEEP_UP,      /* adopted everything, serving */
    KEEP_LEAVE,   /* when I am gone: keep all, start me again at the next connection to the entry "sock" */
    KEEP_BYE,     /* when I am gone: end */
    KEEP_UPDATE,  /* when I am gone: start what has my name now, or me again if that does not get up */
    /* the keeper to velosd */
    KEEP_ENTRY, /* key, fds */
    KEEP_ALL,   /* that was all; pid: the keeper's own */
    KEEP_EXIT,  /* key (the ledger's), pid, status: an adopted child has ended */
    /* velosd to the keeper; numbers stay what they are */
    KEEP_READY, /* the saved apps are started, if they were to be */
    KEEP_TIME, /* key: so many ms, in decimal, the stop to come may take. The service manager hears the keeper
                  alone, which is its main process (NotifyAccess=main) */
};
/* Descriptors that the keeper itself puts: the two programs as they are known to run. */
#define KEEP_EXE_KEEPER "exe/keeper"
#define KEEP_EXE_VELOSD "exe/velosd"

enum {
    KEEP_KEY_MOST = 96,
    KEEP_FDS_MOST = 12,
};

struct keep_head {
    uint16_t type, key_len, n_fds, spare;
    int32_t pid, status;
};

struct keep_msg {
    struct keep_head head;
    char key[KEEP_KEY_MOST + 1];
    int fds[KEEP_FDS_MOST];
};

/* The connected pair, close-on-exec, non-blocking, with the largest buffers we may have. */
int keep_pair(int out[2]);

/* 0, or -1 with errno (EAGAIN: the other side is behind). Descriptors stay the caller's. */
int keep_send(int sock, const struct keep_head *h, const char *key, const int *fds);

/* 1: a message; 0: the other side is gone; -1: errno, EAGAIN for none. m->fds are the caller's,
 * close-on-exec. EBADMSG: not one of ours, skipped; EMFILE: its
 * descriptors did not fit, it is lost. */
int keep_recv(int sock, struct keep_msg *m);

/* All entries in one file, to survive execve(2) (descriptors by number, close-on-exec cleared): how velosd
 * becomes the keeper, and how the keeper becomes its next version. */
struct keep_file {
    int fd;
    off_t at;
};
int keep_file_new(struct keep_file *f);
int keep_file_add(struct keep_file *f, const char *key, const int *fds, size_t n_fds); /* 0, -1 with errno */
int keep_file_next(struct keep_file *f, struct keep_msg *m); /* like keep_recv; 0 at the end */
