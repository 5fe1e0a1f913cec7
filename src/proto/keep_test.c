#include "proto/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unit.h"

static int send_fds(int sock, enum keep_type type, const char *key, const int *fds, uint16_t n_fds)
{
    struct keep_head h = {
        .type = (uint16_t)type, .key_len = (uint16_t)strlen(key), .n_fds = n_fds, .pid = 42, .status = 9
    };
    return keep_send(sock, &h, key, fds);
}

TEST(head_key_and_descriptors_arrive)
{
    int pair[2], pipe_fds[2];
    struct keep_msg m;
    char c;
    check_int(keep_pair(pair), 0);
    check_int(pipe(pipe_fds), 0);
    check_int(send_fds(pair[0], KEEP_PUT, "io/7", pipe_fds, 2), 0);
    check_int(keep_recv(pair[1], &m), 1);
    check_int(m.head.type, KEEP_PUT);
    check_int(m.head.pid, 42);
    check_int(m.head.status, 9);
    check_text(m.key, "io/7");
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
    check_int(send_fds(pair[0], KEEP_DELETE, "ch/1", NULL, 0), 0);
    close(pair[0]);
    check_int(keep_recv(pair[1], &m), 1);
    check_text(m.key, "ch/1");
    check_int(keep_recv(pair[1], &m), 0);
    close(pair[1]);
}

TEST(nothing_and_damage_are_told_apart)
{
    int pair[2];
    struct keep_msg m;
    struct keep_head lies = { .type = KEEP_PUT, .key_len = 50 };
    char large[300] = { 0 };
    check_int(keep_pair(pair), 0);
    check_int(keep_recv(pair[1], &m), -1);
    check_int(errno, EAGAIN);
    check_int(send(pair[0], "abc", 3, 0), 3);
    check_int(keep_recv(pair[1], &m), -1);
    check_int(errno, EBADMSG);
    check_int(send(pair[0], &lies, sizeof(lies), 0), sizeof(lies));
    check_int(keep_recv(pair[1], &m), -1);
    check_int(errno, EBADMSG);
    check_int(send(pair[0], large, sizeof(large), 0), sizeof(large));
    check_int(keep_recv(pair[1], &m), -1);
    check_int(errno, EBADMSG);
    check_int(send_fds(pair[0], KEEP_UP, "", NULL, 0), 0);
    check_int(keep_recv(pair[1], &m), 1);
    check_int(m.head.type, KEEP_UP);
    close(pair[0]);
    close(pair[1]);
}

TEST(a_sender_ahead_of_the_receiver_is_told)
{
    int pair[2], r;
    check_int(keep_pair(pair), 0);
    while ((r = send_fds(pair[0], KEEP_DELETE, "io/1", NULL, 0)) == 0) {
    }
    check_int(r, -1);
    check(errno == EAGAIN || errno == ENOBUFS);
    close(pair[0]);
    close(pair[1]);
}

TEST(a_file_of_entries_survives_an_exec)
{
    struct keep_file f;
    struct keep_msg m;
    int pipe_fds[2];
    check_int(pipe(pipe_fds), 0);
    for (int i = 0; i < 2; i++)
        fcntl(pipe_fds[i], F_SETFD, FD_CLOEXEC);
    check_int(keep_file_new(&f), 0);
    check_int(keep_file_add(&f, "io/1", pipe_fds, 2), 0);
    check_int(fcntl(pipe_fds[0], F_GETFD) & FD_CLOEXEC, 0);
    check_int(keep_file_add(&f, "ledger", pipe_fds, 1), 0);
    check_int(keep_file_next(&f, &m), 1);
    check_text(m.key, "io/1");
    check_int(m.head.n_fds, 2);
    check_int(m.fds[1], pipe_fds[1]);
    check(fcntl(m.fds[0], F_GETFD) & FD_CLOEXEC);
    check_int(keep_file_next(&f, &m), 1);
    check_text(m.key, "ledger");
    check_int(keep_file_next(&f, &m), 0);
    check_int(ftruncate(f.fd, f.at - 1), 0);
    f.at = 0;
    check_int(keep_file_next(&f, &m), 1);
    check_int(keep_file_next(&f, &m), -1);
    check_int(errno, EBADMSG);
    close(f.fd);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

UNIT_MAIN()
