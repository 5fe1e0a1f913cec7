#include "proto/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unit.h"

static char buffer[KEEP_BUFFER];

static int send_text(int sock, enum keep_type type, const char *key, const char *blob, const int *fds,
                     uint16_t n_fds)
{
    struct keep_head h = { .type = (uint16_t)type,
                           .key_len = (uint16_t)strlen(key),
                           .n_fds = n_fds,
                           .blob_len = (uint32_t)strlen(blob),
                           .pid = 42 };
    return keep_send(sock, &h, key, blob, fds);
}

TEST(text_and_descriptors_arrive)
{
    int pair[2], pipe_fds[2];
    struct keep_msg m;
    char c;
    check_int(keep_pair(pair), 0);
    check_int(pipe(pipe_fds), 0);
    check_int(send_text(pair[0], KEEP_PUT, "in/7", "{\"v\":1}", pipe_fds, 2), 0);
    check_int(keep_recv(pair[1], buffer, &m), 1);
    check_int(m.head.type, KEEP_PUT);
    check_int(m.head.pid, 42);
    check_text(m.key, "in/7");
    check_text(m.blob, "{\"v\":1}");
    check_int(m.head.n_fds, 2);
    check(fcntl(m.fds[0], F_GETFD) & FD_CLOEXEC);
    check_int(write(m.fds[1], "x", 1), 1);
    check_int(read(pipe_fds[0], &c, 1), 1);
    for (int i = 0; i < 2; i++) {
        close(m.fds[i]);
        close(pipe_fds[i]);
        close(pair[i]);
    }
}

TEST(what_was_sent_outlives_the_sender)
{
    int pair[2];
    struct keep_msg m;
    check_int(keep_pair(pair), 0);
    check_int(send_text(pair[0], KEEP_DELETE, "app/a", "", NULL, 0), 0);
    close(pair[0]);
    check_int(keep_recv(pair[1], buffer, &m), 1);
    check_text(m.key, "app/a");
    check_int(keep_recv(pair[1], buffer, &m), 0);
    close(pair[1]);
}

TEST(nothing_and_damage_are_told_apart)
{
    int pair[2];
    struct keep_msg m;
    struct keep_head lies = { .type = KEEP_PUT, .key_len = 60, .blob_len = 5000 };
    check_int(keep_pair(pair), 0);
    check_int(keep_recv(pair[1], buffer, &m), -1);
    check_int(errno, EAGAIN);
    check_int(send(pair[0], "short", 5, 0), 5);
    check_int(keep_recv(pair[1], buffer, &m), -1);
    check_int(errno, EBADMSG);
    check_int(send(pair[0], &lies, sizeof(lies), 0), sizeof(lies));
    check_int(keep_recv(pair[1], buffer, &m), -1);
    check_int(errno, EBADMSG);
    check_int(send_text(pair[0], KEEP_UP, "", "", NULL, 0), 0); /* and the next one is fine */
    check_int(keep_recv(pair[1], buffer, &m), 1);
    close(pair[0]);
    close(pair[1]);
}

TEST(a_full_line_says_so_and_loses_nothing)
{
    int pair[2], sent = 0, got = 0;
    struct keep_msg m;
    check_int(keep_pair(pair), 0);
    while (send_text(pair[0], KEEP_PUT, "k", "text", NULL, 0) == 0)
        sent++;
    check_int(errno, EAGAIN);
    while (keep_recv(pair[1], buffer, &m) == 1)
        got++;
    check_int(got, sent);
    check(sent > 100);
    close(pair[0]);
    close(pair[1]);
}

TEST(a_file_of_entries_there_and_back)
{
    struct keep_file f;
    struct keep_msg m;
    int pipe_fds[2];
    check_int(pipe2(pipe_fds, O_CLOEXEC), 0);
    check_int(keep_file_new(&f), 0);
    struct keep_head one = { .type = KEEP_PUT, .key_len = 4, .blob_len = 3, .n_fds = 1, .pid = 9 };
    struct keep_head two = { .type = KEEP_PUT, .key_len = 1 };
    check_int(keep_file_add(&f, &one, "in/1", "abc", pipe_fds), 0);
    check_int(keep_file_add(&f, &two, "x", "", NULL), 0);
    check_int(fcntl(pipe_fds[0], F_GETFD), 0); /* it is to survive exec */
    check_int(keep_file_next(&f, buffer, &m), 1);
    check_text(m.key, "in/1");
    check_text(m.blob, "abc");
    check_int(m.fds[0], pipe_fds[0]);
    check_int(m.head.pid, 9);
    check(fcntl(pipe_fds[0], F_GETFD) & FD_CLOEXEC);
    check_int(keep_file_next(&f, buffer, &m), 1);
    check_text(m.key, "x");
    check_int(keep_file_next(&f, buffer, &m), 0);
    close(f.fd);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

TEST(a_large_text_goes_beside)
{
    struct err e;
    size_t n = 300000, got_n;
    own_text text = xmalloc(n);
    own_text got = NULL;
    memset(text, 't', n);
    int fd = keep_blob_to_fd(text, n);
    check(fd >= 0);
    check_int(keep_blob_from_fd(fd, &got, &got_n, &e), 0);
    check_int(got_n, n);
    check_int(memcmp(text, got, n), 0);
    close(fd);
}

UNIT_MAIN()
