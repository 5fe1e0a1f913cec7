#include "logs/transit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/unit.h"
#include "os/pump.h"

struct set {
    int fds[TRANSIT_FDS], pipe[2];
    struct transit *t;
};

static void set_init(struct set *s)
{
    check_int(transit_make(s->fds), 0);
    s->t = transit_new(s->fds);
    check(s->t != NULL);
    check_int(os_pump_pipe(s->pipe), 0);
}

static void set_done(struct set *s)
{
    transit_free(s->t);
    for (int i = 0; i < TRANSIT_FDS; i++)
        close(s->fds[i]);
    close(s->pipe[0]);
    close(s->pipe[1]);
}

static void say(struct set *s, const char *text)
{
    check_int(write(s->pipe[1], text, strlen(text)), strlen(text));
}

static void next_daemon(struct set *s)
{
    transit_free(s->t);
    s->t = transit_new(s->fds);
}

static void check_reads(int fd, const char *text)
{
    char got[64] = { 0 };
    ssize_t n = read(fd, got, sizeof(got) - 1);
    check_int(n, *text ? (ssize_t)strlen(text) : -1);
    check_text(got, text);
}

TEST(raw_bytes_are_found)
{
    struct set s;
    set_init(&s);
    check_int(transit_look(s.t).phase, TRANSIT_NONE);
    say(&s, "hello");
    check_int(transit_take(s.t, 7, s.pipe[0], 100), 5);
    next_daemon(&s);
    struct transit_left left = transit_look(s.t);
    check_int(left.phase, TRANSIT_RAW);
    check_int(left.stream, 7);
    check_int(left.taken, 5);
    check_reads(transit_end(s.t), "hello");
    transit_clear(s.t);
    check_int(transit_look(s.t).phase, TRANSIT_NONE);
    set_done(&s);
}

TEST(lines_before_the_commit)
{
    struct set s;
    set_init(&s);
    say(&s, "one\ntwo");
    transit_begin(s.t, 9, 1234, 4);
    next_daemon(&s);
    struct transit_left left = transit_look(s.t);
    check_int(left.phase, TRANSIT_LINES);
    check_int(left.stream, 9);
    check_int(left.offset, 1234);
    check_int(left.bytes, 4);
    check_int(left.taken, 0);
    transit_clear(s.t);
    check_reads(s.pipe[0], "one\ntwo");
    set_done(&s);
}

/* Killed with some of the bytes taken: the next one takes the others. */
TEST(lines_in_the_commit)
{
    struct set s;
    set_init(&s);
    say(&s, "one\ntwo");
    transit_begin(s.t, 9, 0, 4);
    check_int(os_pump_shift(s.pipe[0], s.fds[2], 3), 3);
    next_daemon(&s);
    check_int(transit_look(s.t).taken, 3);
    transit_commit(s.t, s.pipe[0]);
    check_int(transit_look(s.t).phase, TRANSIT_NONE);
    check_reads(s.pipe[0], "two");
    check_reads(transit_end(s.t), "");
    set_done(&s);
}

TEST(lines_after_the_commit)
{
    struct set s;
    set_init(&s);
    say(&s, "one\ntwo");
    transit_begin(s.t, 9, 0, 4);
    transit_commit(s.t, s.pipe[0]);
    next_daemon(&s);
    check_int(transit_look(s.t).phase, TRANSIT_NONE);
    check_reads(s.pipe[0], "two");
    set_done(&s);
}

/* It has room for whatever was peeked at through a pipe of its size, in as many pieces. */
TEST(many_pieces)
{
    struct set s;
    char got[1 << 16];
    int scratch[2];
    set_init(&s);
    check_int(os_pump_pipe(scratch), 0);
    os_pump_grow(scratch[1], os_pump_size(transit_end(s.t)));
    fcntl(s.pipe[1], F_SETFL, O_NONBLOCK | O_DIRECT); /* a buffer a write */
    while (write(s.pipe[1], "piece\n", 6) == 6) {
    }
    ssize_t n = os_pump_peek(scratch, s.pipe[0], got, sizeof(got));
    check(n > 6);
    transit_begin(s.t, 9, 0, (size_t)n);
    transit_commit(s.t, s.pipe[0]);
    int waiting = -1;
    check(os_pump_waiting(s.pipe[0], &waiting));
    check_int(waiting, 0);
    close(scratch[0]);
    close(scratch[1]);
    set_done(&s);
}

UNIT_MAIN()
