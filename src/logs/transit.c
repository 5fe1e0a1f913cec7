#include "logs/transit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/memfile.h"
#include "os/pump.h"

/* As much as a quick app writes line by line in a rest, so that one transfer takes it. */
enum { PAGE = 4096, PIPE_BYTES = 512 << 10 };

/* Written by one thread, read by the next process: the order of the stores is what counts. */
struct page {
    _Atomic uint64_t stream;
    _Atomic int64_t offset;
    _Atomic uint64_t bytes;
    _Atomic uint32_t phase; /* written last, cleared first */
};

struct transit {
    struct page *page;
    int in, out; /* ends of the pipe */
    int null;    /* where its bytes are spliced to when they are forgotten */
};

static int make_page(void)
{
    int fd = os_memfile("velos-transit", false);
    if (fd >= 0 && ftruncate(fd, PAGE) < 0)
        fd_done(&fd);
    return fd;
}

int transit_make(int fds[TRANSIT_FDS])
{
    fds[0] = fds[1] = fds[2] = -1;
    if (os_pump_shift(-1, -1, 0) < 0 && errno == ENOSYS)
        return -1;
    fds[0] = make_page();
    if (fds[0] >= 0 && os_pump_pipe(fds + 1) == 0) {
        fcntl(fds[2], F_SETFL, O_NONBLOCK);
        os_pump_grow(fds[1], PIPE_BYTES);
        return 0;
    }
    fd_done(&fds[0]);
    return -1;
}

struct transit *transit_new(const int fds[TRANSIT_FDS])
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    if (page == MAP_FAILED)
        return NULL;
    struct transit *t = xnew(struct transit);
    t->page = page;
    t->out = fds[1];
    t->in = fds[2];
    t->null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return t;
}

struct transit *transit_free(struct transit *t)
{
    if (t) {
        munmap(t->page, PAGE);
        fd_done(&t->null);
    }
    free(t);
    return NULL;
}

struct transit_left transit_look(const struct transit *t)
{
    struct transit_left left = {
        .phase = (enum transit_phase)t->page->phase,
        .stream = t->page->stream,
        .offset = t->page->offset,
        .bytes = t->page->bytes,
    };
    if (left.phase > TRANSIT_LINES || !os_pump_waiting(t->out, &left.taken))
        left.phase = TRANSIT_NONE;
    return left;
}

static void empty(struct transit *t)
{
    while (os_pump_shift(t->out, t->null, PIPE_BYTES) > 0 || os_pump_drop(t->out, PIPE_BYTES) > 0)
        ;
}

size_t transit_forget(struct transit *t)
{
    int left = 0;
    if (!os_pump_waiting(t->out, &left) || left <= 0)
        return 0;
    empty(t);
    return (size_t)left;
}

void transit_clear(struct transit *t)
{
    t->page->phase = TRANSIT_NONE;
    empty(t);
}

ssize_t transit_take(struct transit *t, uint64_t stream, int pipe_fd, size_t most)
{
    if (t->page->phase != TRANSIT_RAW || t->page->stream != stream) {
        t->page->phase = TRANSIT_NONE; /* the pipe is empty: the page may change hands */
        t->page->stream = stream;
        t->page->phase = TRANSIT_RAW;
    }
    return os_pump_shift(pipe_fd, t->in, most);
}

int transit_end(const struct transit *t)
{
    return t->out;
}

void transit_begin(struct transit *t, uint64_t stream, int64_t offset, size_t bytes)
{
    t->page->phase = TRANSIT_NONE;
    t->page->stream = stream;
    t->page->offset = offset;
    t->page->bytes = bytes;
    t->page->phase = TRANSIT_LINES;
}

/* All of it is there: it was peeked at, and nobody else reads. The transit pipe has at least as much room as
 * the scratch pipe it was peeked through. */
void transit_commit(struct transit *t, int pipe_fd)
{
    int taken = 0;
    os_pump_waiting(t->out, &taken);
    size_t left = t->page->bytes - MIN(t->page->bytes, (size_t)taken);
    while (left > 0) {
        ssize_t n = os_pump_shift(pipe_fd, t->in, left);
        if (n <= 0)
            break;
        left -= (size_t)n;
    }
    transit_clear(t);
}

void transit_undo(struct transit *t)
{
    t->page->phase = TRANSIT_NONE;
}
