#include "logs/closer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/time.h"
#include "base/unit.h"

enum { MANY = 40, MOST = 16 };

static int count_open(const int *fds)
{
    int n = 0;
    for (int i = 0; i < MANY; i++)
        n += fcntl(fds[i], F_GETFD) >= 0;
    return n;
}

static void open_many(int *fds)
{
    for (int i = 0; i < MANY; i++)
        check((fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
}

/* A socket that close(2) hangs on until its peer closes: SO_LINGER, and more sent than the peer has room for.
 */
static int lingering(int *peer)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    struct linger linger = { 1, 100 };
    static const char block[1 << 16];
    own_fd listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_int(bind(listener, (struct sockaddr *)&at, len), 0);
    check_int(listen(listener, 1), 0);
    check_int(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_int(connect(fd, (struct sockaddr *)&at, len), 0);
    check((*peer = accept(listener, NULL, NULL)) >= 0);
    check_int(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    check_int(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (send(fd, block, sizeof(block), 0) > 0) {
    }
    check_int(fcntl(fd, F_SETFL, 0), 0);
    return fd;
}

static void await_closed(int fd)
{
    int64_t until = time_mono_ms() + 10000;
    while (fcntl(fd, F_GETFD) >= 0 && time_mono_ms() < until)
        sched_yield();
    check(fcntl(fd, F_GETFD) < 0);
}

TEST(what_waits_has_a_bound)
{
    int peer, slow = lingering(&peer), fds[MANY];
    struct closer *c = closer_new();
    closer_take(c, slow);
    await_closed(slow); /* the thread is within close(2) */
    open_many(fds);
    for (int i = 0; i < MANY; i++)
        closer_take(c, fds[i]);
    check_int(count_open(fds), MOST);
    close(peer);
    for (int i = 0; i < MANY; i++)
        await_closed(fds[i]);
    closer_free(c);
}

TEST(the_end_closes_what_waits)
{
    int peer, slow = lingering(&peer), fds[MANY];
    struct closer *c = closer_new();
    closer_take(c, slow);
    await_closed(slow);
    open_many(fds);
    for (int i = 0; i < MOST; i++)
        closer_take(c, fds[i]);
    check_int(count_open(fds), MANY);
    close(peer);
    closer_free(c);
    check_int(count_open(fds), MANY - MOST);
    for (int i = MOST; i < MANY; i++)
        close(fds[i]);
}

TEST(nothing_to_close)
{
    closer_free(closer_new());
}

UNIT_MAIN()
