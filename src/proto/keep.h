/* src/proto/keep.h: what velosd and velos-keeper say to each other, over a SOCK_SEQPACKET pair.
 *
 * A message is a head, a key and a blob, with descriptors beside it (SCM_RIGHTS). A blob that would not fit
 * a packet travels in a memfd, as the first of the descriptors, and is kept as such. What was sent is safe:
 * it lies in the kernel, whatever happens to the sender next. libc only. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/text.h"

enum keep_type {
    /* velosd (and its children) to the keeper */
    KEEP_PUT =
        1,       /* key, blob, fds: keep this, in place of what was there; pid: the child it is about, or 0 */
    KEEP_DELETE, /* key */
    KEEP_BORN,   /* key, pid: sent by the child itself, between fork and exec */
    KEEP_UP,     /* adopted everything, serving */
    KEEP_LEAVE,  /* when I am gone: keep all, start me again at the next connection to the entry "sock" */
    KEEP_BYE,    /* when I am gone: end */
    KEEP_UPDATE, /* when I am gone: exec the keeper's file anew, then start me */
    /* the keeper to velosd */
    KEEP_ENTRY, /* an entry; pid, and its wait status if KEEP_HAS_STATUS */
    KEEP_ALL,   /* that was all; pid: the keeper's own */
    KEEP_EXIT,  /* key, pid, status: an adopted child has ended */
};
enum { KEEP_HAS_STATUS = 1, KEEP_BLOB_FD = 2, KEEP_SAME_FDS = 4 /* put: those kept already stay */ };
enum {
    KEEP_KEY_MOST = 96,
    KEEP_INLINE_MOST = 48 << 10, /* of a blob; SO_SNDBUF is 208 KiB by default */
    KEEP_FDS_MOST = 12,
};

struct keep_head {
    uint16_t type, flags;
    uint16_t key_len, n_fds;
    uint32_t blob_len; /* inline bytes */
    int32_t pid, status;
};

struct keep_msg {
    struct keep_head head;
    char key[KEEP_KEY_MOST + 1];
    char *blob; /* NUL-terminated, head.blob_len bytes; points into the receiver's buffer */
    int fds[KEEP_FDS_MOST];
};

/* The connected pair, close-on-exec, non-blocking, with the largest buffers we may have. */
int keep_pair(int out[2]);

/* 0, or -1 with errno (EAGAIN: the other side is behind). Descriptors stay the caller's. */
int keep_send(int sock, const struct keep_head *h, const char *key, const char *blob, const int *fds);

/* 1: a message; 0: the other side is gone; -1: errno, EAGAIN for none. buffer holds KEEP_BUFFER bytes and is
 * what m->blob points into; m->fds are the caller's, close-on-exec. EBADMSG: not one of ours, skipped. */
enum { KEEP_BUFFER = KEEP_INLINE_MOST + 256 };
int keep_recv(int sock, char *buffer, struct keep_msg *m);

/* The bytes of a message without descriptors, for one that is sent later by a child (os/spawn.h). */
size_t keep_encode(char *out, size_t size, const struct keep_head *h, const char *key);

/* A blob too large for a packet, as a memfd; -1 and errno. */
int keep_blob_to_fd(const char *blob, size_t n);
must_check int keep_blob_from_fd(int fd, char **out, size_t *n, struct err *e);

/* All entries in one file, to survive execve(2) (descriptors by number, close-on-exec cleared): how velosd
 * becomes the keeper, and how the keeper becomes its next version. */
struct keep_file {
    int fd;
    off_t at;
};
int keep_file_new(struct keep_file *f);
int keep_file_add(struct keep_file *f, const struct keep_head *h, const char *key, const char *blob,
                  const int *fds);
int keep_file_next(struct keep_file *f, char *buffer, struct keep_msg *m); /* like keep_recv; 0 at the end */
