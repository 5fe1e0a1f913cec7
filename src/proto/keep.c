#include "proto/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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

int keep_send(int sock, const struct keep_head *h, const char *key, const int *fds)
{
    struct iovec parts[2] = {
        { (void *)h, sizeof(*h) },
        { (void *)key, h->key_len },
    };
    union {
        char space[CMSG_SPACE(sizeof(int) * KEEP_FDS_MOST)];
        struct cmsghdr align;
    } control;
    struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };
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

/* False if the lengths do not add up. */
static bool is_whole(const struct keep_msg *m, size_t n, size_t n_fds)
{
    return n >= sizeof(m->head) && m->head.key_len <= KEEP_KEY_MOST && m->head.n_fds == n_fds &&
           n == sizeof(m->head) + m->head.key_len;
}

int keep_recv(int sock, struct keep_msg *m)
{
    struct iovec parts[2] = { { &m->head, sizeof(m->head) }, { m->key, KEEP_KEY_MOST + 1 } };
    union {
        char space[CMSG_SPACE(sizeof(int) * KEEP_FDS_MOST)];
        struct cmsghdr align;
    } control;
    struct msghdr msg = { .msg_iov = parts,
                          .msg_iovlen = 2,
                          .msg_control = control.space,
                          .msg_controllen = sizeof(control.space) };
    ssize_t n = os_sock_receive(sock, &msg);
    if (n < 0)
        return errno == ECONNRESET ? 0 : -1;
    if (n == 0)
        return 0;
    size_t n_fds = take_fds(&msg, m->fds);
    if (is_whole(m, (size_t)n, n_fds)) {
        m->key[m->head.key_len] = '\0';
        return 1;
    }
    for (size_t i = 0; i < n_fds; i++)
        close(m->fds[i]);
    errno = msg.msg_flags & MSG_CTRUNC ? EMFILE : EBADMSG;
    return -1;
}

int keep_file_new(struct keep_file *f)
{
    *f = (struct keep_file){ .fd = os_memfile("velos-entries", true) };
    return f->fd < 0 ? -1 : 0;
}

int keep_file_add(struct keep_file *f, const char *key, const int *fds, size_t n_fds)
{
    struct err e;
    struct keep_head h = { .type = KEEP_PUT, .key_len = (uint16_t)strlen(key), .n_fds = (uint16_t)n_fds };
    for (size_t i = 0; i < n_fds; i++)
        if (os_fd_keep_on_exec(fds[i]) < 0)
            return -1;
    if (file_write_all(f->fd, &h, sizeof(h), &e) < 0 || file_write_all(f->fd, key, h.key_len, &e) < 0 ||
        file_write_all(f->fd, fds, sizeof(int) * n_fds, &e) < 0)
        return -1;
    return 0;
}

static bool read_at(struct keep_file *f, void *out, size_t n)
{
    if (pread(f->fd, out, n, f->at) != (ssize_t)n)
        return false;
    f->at += (off_t)n;
    return true;
}

int keep_file_next(struct keep_file *f, struct keep_msg *m)
{
    char more;
    if (pread(f->fd, &more, 1, f->at) == 0)
        return 0;
    if (!read_at(f, &m->head, sizeof(m->head)) || m->head.n_fds > KEEP_FDS_MOST ||
        m->head.key_len > KEEP_KEY_MOST || !read_at(f, m->key, m->head.key_len) ||
        !read_at(f, m->fds, sizeof(int) * m->head.n_fds)) {
        errno = EBADMSG;
        return -1;
    }
    m->key[m->head.key_len] = '\0';
    for (size_t i = 0; i < m->head.n_fds; i++)
        fcntl(m->fds[i], F_SETFD, FD_CLOEXEC);
    return 1;
}
