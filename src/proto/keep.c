#include "proto/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"
#include "os/fds.h"
#include "os/memfile.h"
#include "os/sock.h"

int keep_pair(int out[2])
{
    return os_sock_packets(1 << 20, out);
}

int keep_send(int sock, const struct keep_head *h, const char *key, const char *blob, const int *fds)
{
    struct iovec parts[3] = {
        { (void *)h, sizeof(*h) },
        { (void *)key, h->key_len },
        { (void *)blob, h->blob_len },
    };
    union {
        char space[CMSG_SPACE(sizeof(int) * KEEP_FDS_MOST)];
        struct cmsghdr align;
    } control;
    struct msghdr m = { .msg_iov = parts, .msg_iovlen = 3 };
    if (h->n_fds) {
        memset(&control, 0, sizeof(control));
        m.msg_control = control.space;
        m.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * h->n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * h->n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * h->n_fds);
    }
    return os_sock_send(sock, &m) < 0 ? -1 : 0;
}

static size_t take_fds(struct msghdr *m, int *out)
{
    size_t n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < got; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (n < KEEP_FDS_MOST)
                out[n++] = fd;
            else
                close(fd);
        }
    }
    return n;
}

/* Splits what was received into key and blob; false if the lengths do not add up. */
static bool dissect(char *buffer, size_t n, size_t n_fds, struct keep_msg *m)
{
    if (n < sizeof(m->head))
        return false;
    memcpy(&m->head, buffer, sizeof(m->head));
    const struct keep_head *h = &m->head;
    if (h->key_len > KEEP_KEY_MOST || h->n_fds != n_fds || n != sizeof(*h) + h->key_len + (size_t)h->blob_len)
        return false;
    memcpy(m->key, buffer + sizeof(*h), h->key_len);
    m->key[h->key_len] = '\0';
    m->blob = buffer + sizeof(*h) + h->key_len;
    buffer[n] = '\0';
    return true;
}

int keep_recv(int sock, char *buffer, struct keep_msg *m)
{
    struct iovec part = { buffer, KEEP_BUFFER - 1 };
    union {
        char space[CMSG_SPACE(sizeof(int) * KEEP_FDS_MOST)];
        struct cmsghdr align;
    } control;
    struct msghdr msg = { .msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.space,
                          .msg_controllen = sizeof(control.space) };
    ssize_t n = os_sock_receive(sock, &msg);
    if (n < 0)
        return errno == ECONNRESET ? 0 : -1;
    if (n == 0)
        return 0;
    size_t n_fds = take_fds(&msg, m->fds);
    if (dissect(buffer, (size_t)n, n_fds, m))
        return 1;
    for (size_t i = 0; i < n_fds; i++)
        close(m->fds[i]);
    errno = EBADMSG;
    return -1;
}

size_t keep_encode(char *out, size_t size, const struct keep_head *h, const char *key)
{
    size_t n = sizeof(*h) + h->key_len;
    if (n > size)
        return 0;
    memcpy(out, h, sizeof(*h));
    memcpy(out + sizeof(*h), key, h->key_len);
    return n;
}

int keep_blob_to_fd(const char *blob, size_t n)
{
    own_fd fd = os_memfile("velos-blob", false);
    struct err e;
    if (fd < 0 || file_write_all(fd, blob, n, &e) < 0)
        return -1;
    return steal_fd(fd);
}

int keep_blob_from_fd(int fd, char **out, size_t *n, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(e, "kept text");
    char *text = xmalloc((size_t)st.st_size + 1);
    ssize_t got = pread(fd, text, (size_t)st.st_size, 0);
    if (got != st.st_size) {
        free(text);
        return err_set(e, ERR_INTERNAL, "kept text is %zd bytes of %lld", got, (long long)st.st_size);
    }
    text[got] = '\0';
    *out = text;
    *n = (size_t)got;
    return 0;
}

int keep_file_new(struct keep_file *f)
{
    *f = (struct keep_file){ .fd = os_memfile("velos-entries", true) };
    return f->fd < 0 ? -1 : 0;
}

int keep_file_add(struct keep_file *f, const struct keep_head *h, const char *key, const char *blob,
                  const int *fds)
{
    struct err e;
    for (size_t i = 0; i < h->n_fds; i++)
        if (os_fd_keep_on_exec(fds[i]) < 0)
            return -1;
    if (file_write_all(f->fd, h, sizeof(*h), &e) < 0 || file_write_all(f->fd, key, h->key_len, &e) < 0 ||
        file_write_all(f->fd, fds, sizeof(int) * h->n_fds, &e) < 0 ||
        file_write_all(f->fd, blob, h->blob_len, &e) < 0)
        return -1;
    return 0;
}

int keep_file_next(struct keep_file *f, char *buffer, struct keep_msg *m)
{
    struct keep_head h;
    ssize_t n = pread(f->fd, &h, sizeof(h), f->at);
    if (n <= 0)
        return (int)n;
    size_t fds_len = sizeof(int) * h.n_fds, rest = (size_t)h.key_len + h.blob_len;
    if (n != sizeof(h) || h.n_fds > KEEP_FDS_MOST || h.key_len > KEEP_KEY_MOST ||
        h.blob_len > KEEP_INLINE_MOST) {
        errno = EBADMSG;
        return -1;
    }
    memcpy(buffer, &h, sizeof(h));
    off_t at = f->at + (off_t)sizeof(h);
    if (pread(f->fd, buffer + sizeof(h), h.key_len, at) != h.key_len ||
        pread(f->fd, m->fds, fds_len, at + h.key_len) != (ssize_t)fds_len ||
        pread(f->fd, buffer + sizeof(h) + h.key_len, h.blob_len, at + h.key_len + (off_t)fds_len) !=
            (ssize_t)h.blob_len) {
        errno = EBADMSG;
        return -1;
    }
    f->at = at + (off_t)(rest + fds_len);
    for (size_t i = 0; i < h.n_fds; i++)
        fcntl(m->fds[i], F_SETFD, FD_CLOEXEC);
    if (!dissect(buffer, sizeof(h) + rest, h.n_fds, m)) {
        errno = EBADMSG;
        return -1;
    }
    return 1;
}
