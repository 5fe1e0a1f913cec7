/* What the machine itself needs, to set velos's figures against.
 *
 *   floor line                    a process that prints one line: the least any command can cost
 *   floor nap                     a process that waits: the app of the measurements
 *   floor stamp FIFO              the same; reads the clock first of all, writes "PID NANOSECONDS" to FIFO
 *   floor time N COMMAND...       runs COMMAND N times, prints when each began and was reaped, in ns
 *   floor supervise N COMMAND...  the least supervisor: keeps N children running (vfork, pidfd, epoll)
 *   floor copy FILE               a plain log writer: reads stdin, a pipe, and writes FILE, 64 KiB at a time
 *   floor splice FILE             the same with splice(2); rests 1 ms while little comes
 *   floor polled FILE             the same, once the pipe was waited for with epoll(7)
 *   floor pour FIFO BYTES SIZE    the app whose log it is: lines of 100 bytes, SIZE bytes a write; after
 *                                 BYTES "PID BEGIN END" (ns) to FIFO
 *   floor tick FIFO COUNT         writes the time (ns), a line every 20 ms
 *
 * Linked statically, so that nothing here depends on what a loader has to do. vfork stands in a function of
 * its own that is never inlined: its child runs on our stack frame. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

__attribute__((noinline)) static pid_t spawn(char **argv)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execve(argv[0], argv, environ);
        _exit(127);
    }
    return pid;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The command's output would cost a terminal's time, not the command's: it goes to /dev/null. */
static int time_runs(int n, char **argv)
{
    int null = open("/dev/null", O_RDWR);
    int out = dup(1);
    if (null < 0 || out < 0)
        return fail("open");
    dup2(null, 1);
    fcntl(null, F_SETFD, FD_CLOEXEC);
    fcntl(out, F_SETFD, FD_CLOEXEC);
    for (int i = 0; i < n; i++) {
        int64_t begin = now_ns();
        int status;
        pid_t pid = spawn(argv);
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
            return fail(argv[0]);
        int64_t end = now_ns();
        if (status != 0) {
            fprintf(stderr, "%s: wait status %d\n", argv[0], status);
            return 1;
        }
        dprintf(out, "%lld %lld\n", (long long)begin, (long long)end);
    }
    return 0;
}

/* One write, small enough to be atomic: many write to the same FIFO. */
static int stamp(int64_t born, const char *fifo)
{
    char line[64];
    int len = snprintf(line, sizeof line, "%d %lld\n", (int)getpid(), (long long)born);
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, line, (size_t)len) != len)
        return fail(fifo);
    close(fd);
    return pause();
}

static int watch_new_child(int epoll, char **argv)
{
    pid_t pid = spawn(argv);
    int fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return fail("spawn");
    struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? fail("epoll_ctl") : 0;
}

static int supervise(int n, char **argv)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < n; i++)
        if (watch_new_child(epoll, argv) != 0)
            return 1;
    for (;;) {
        struct epoll_event ready[64];
        int got = epoll_wait(epoll, ready, 64, -1);
        for (int i = 0; i < got; i++) {
            siginfo_t info;
            int fd = ready[i].data.fd;
            waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
            /* Out of the epoll before the close: a vfork child may still hold a copy, and a closed
             * descriptor would stay ready for ever. */
            epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
            close(fd);
            if (watch_new_child(epoll, argv) != 0)
                return 1;
        }
    }
}

static int copy(const char *path)
{
    static char block[64 << 10];
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ssize_t n;
    if (out < 0)
        return fail(path);
    fcntl(0, F_SETPIPE_SZ, 1 << 20);
    while ((n = read(0, block, sizeof block)) > 0)
        if (write(out, block, (size_t)n) != n)
            return fail("write");
    return n < 0 ? fail("read") : 0;
}

static void rest(void)
{
    struct timespec ms = { 0, 1000000 };
    nanosleep(&ms, NULL);
}

/* From then on each write to it wakes whoever waits, or looks whether anybody does (poll_usage in fs/pipe.c).
 */
static void wait_once(void)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
    int ep = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(ep, EPOLL_CTL_ADD, 0, &ev) == 0)
        epoll_wait(ep, &ev, 1, -1);
    close(ep);
}

static int splice_all(const char *path)
{
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ssize_t n;
    if (out < 0)
        return fail(path);
    fcntl(0, F_SETPIPE_SZ, 1 << 20);
    while ((n = splice(0, NULL, out, NULL, 1 << 20, SPLICE_F_MOVE)) > 0)
        if (n < 32 << 10)
            rest();
    return n < 0 ? fail("splice") : 0;
}

static void number(char *digits, int64_t n)
{
    for (int i = 11; i >= 0; i--, n /= 10)
        digits[i] = (char)('0' + n % 10);
}

/* Each line begins with its number, so that none of them is lost unseen. */
static int pour(const char *fifo, int64_t bytes, size_t size)
{
    static char block[1 << 20];
    char stamps[80];
    int64_t seq = 0;
    memset(block, '.', sizeof block);
    for (size_t at = 99; at < size; at += 100)
        block[at] = '\n';
    int64_t begin = now_ns();
    for (int64_t done = 0; done < bytes; done += (int64_t)size) {
        for (size_t at = 0; at + 100 <= size; at += 100)
            number(block + at, ++seq);
        if (write(1, block, size) != (ssize_t)size)
            return fail("write");
    }
    int len = snprintf(stamps, sizeof stamps, "%d %lld %lld\n", (int)getpid(), (long long)begin,
                       (long long)now_ns());
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, stamps, (size_t)len) != len)
        return fail(fifo);
    close(fd);
    return pause();
}

static int tick(const char *fifo, int count)
{
    char line[32];
    struct timespec gap = { 0, 20000000 };
    for (int i = 0; i < count; i++) {
        nanosleep(&gap, NULL);
        int len = snprintf(line, sizeof line, "%lld\n", (long long)now_ns());
        if (write(1, line, (size_t)len) != len)
            return fail("write");
    }
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "done\n", 5) != 5)
        return fail(fifo);
    close(fd);
    return pause();
}

int main(int argc, char **argv)
{
    int64_t born = now_ns(); /* before anything else: this is where "crash to new child" ends */
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "line") == 0)
        return puts("one line") < 0;
    if (strcmp(mode, "nap") == 0)
        return pause();
    if (strcmp(mode, "stamp") == 0 && argc > 2)
        return stamp(born, argv[2]);
    if (strcmp(mode, "time") == 0 && argc > 3)
        return time_runs(atoi(argv[2]), argv + 3);
    if (strcmp(mode, "supervise") == 0 && argc > 3)
        return supervise(atoi(argv[2]), argv + 3);
    if (strcmp(mode, "copy") == 0 && argc > 2)
        return copy(argv[2]);
    if (strcmp(mode, "polled") == 0 && argc > 2)
        wait_once();
    if ((strcmp(mode, "splice") == 0 || strcmp(mode, "polled") == 0) && argc > 2)
        return splice_all(argv[2]);
    if (strcmp(mode, "pour") == 0 && argc > 4)
        return pour(argv[2], atoll(argv[3]), (size_t)atoi(argv[4]));
    if (strcmp(mode, "tick") == 0 && argc > 3)
        return tick(argv[2], atoi(argv[3]));
    fprintf(stderr, "usage: floor line|nap|stamp FIFO|time N COMMAND...|supervise N COMMAND...|copy "
                    "FILE|splice FILE|polled FILE|\n"
                    "             pour FIFO BYTES SIZE|tick FIFO COUNT\n");
    return 2;
}
