#include "logs/stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"
#include "os/pump.h"

/* A stream of its own: a pipe, a file in a directory that goes with it, a transit pipe. */
struct set {
    char dir[32], path[64];
    int fds[TRANSIT_FDS], pipe[2];
    int64_t dropped_told;
    struct flow flow;
    struct stream st;
};

static void ignore(void *arg, struct stream *st)
{
}

static void trouble(void *arg, struct stream *st, int error)
{
    struct set *s = arg;
    s->dropped_told = st->dropped;
}

static void on_note(void *arg, struct sink *s, enum sink_note what, int error)
{
}

static void on_rotated(void *arg, struct sink *s)
{
}

static void on_trash(void *arg, int take_fd)
{
    close(take_fd);
}

static void set_init(struct set *s, const char *begins, int64_t max)
{
    *s = (struct set){ .dir = "/tmp/velos-stream.XXXXXX" };
    check(mkdtemp(s->dir) != NULL);
    snprintf(s->path, sizeof(s->path), "%s/log", s->dir);
    own_fd file = open(s->path, O_CREAT | O_WRONLY, 0600);
    check_int(write(file, begins, strlen(begins)), strlen(begins));
    check_int(transit_make(s->fds), 0);
    check_int(os_pump_pipe(s->pipe), 0);
    os_pump_grow(s->pipe[1], 1 << 20);
    flow_init(&s->flow);
    s->flow.env = (struct sink_env){ .marks = marks_cache_new(),
                                     .trash = { on_trash, s },
                                     .note = on_note,
                                     .rotated = on_rotated,
                                     .arg = s,
                                     .now_us = 1,
                                     .now_ms = 1 };
    s->flow.transit = transit_new(s->fds);
    s->flow.trouble = trouble;
    s->flow.dropped = s->flow.better = ignore;
    s->flow.arg = s;
    s->st = (struct stream){ .id = 1, .fd = s->pipe[0] };
    s->st.sink = sink_new(s->path, &(struct rotate_rules){ .max = max, .keep = 1 }, NULL);
    check(sink_open(&s->flow.env, s->st.sink));
}

static void set_done(struct set *s)
{
    own_text command = xasprintf("rm -rf %s", s->dir);
    s->st.lines = lines_free(s->st.lines);
    sink_free(&s->flow.env, s->st.sink);
    s->flow.transit = transit_free(s->flow.transit);
    flow_done(&s->flow);
    marks_cache_free(s->flow.env.marks);
    for (int i = 0; i < TRANSIT_FDS; i++)
        close(s->fds[i]);
    close(s->pipe[0]);
    close(s->pipe[1]);
    check_int(system(command), 0);
}

static void say(struct set *s, const char *bytes, size_t n)
{
    check_int(write(s->pipe[1], bytes, n), n);
}

static void check_log(const struct set *s, const char *text)
{
    char got[512] = { 0 };
    own_fd fd = open(s->path, O_RDONLY);
    check(fd >= 0 && read(fd, got, sizeof(got) - 1) >= 0);
    check_text(got, text);
}

static bool never(void *arg)
{
    return false;
}

static bool always(void *arg)
{
    return true;
}

static int in_transit(const struct set *s)
{
    int left = -1;
    check(os_pump_waiting(transit_end(s->flow.transit), &left));
    return left;
}

/* A rotation in the middle of what was taken finds a FIFO that is full in the file's place. */
TEST(nothing_stays_in_the_transit_pipe)
{
    enum { MUCH = 100000 };
    struct set s;
    char *much = xmalloc(MUCH), junk[4096] = { 0 };
    memset(much, 'x', MUCH);
    for (int i = 99; i < MUCH; i += 100)
        much[i] = '\n';
    set_init(&s, "", 1000);
    check(stream_move(&s.flow, &s.st) == 0);
    say(&s, much, MUCH);
    own_text kept = xasprintf("%s/kept", s.dir);
    check_int(link(s.path, kept), 0); /* so that it is not seen as deleted */
    check_int(unlink(s.path), 0);
    check_int(mkfifo(s.path, 0600), 0);
    own_fd fifo = open(s.path, O_RDWR | O_NONBLOCK);
    fcntl(fifo, F_SETPIPE_SZ, 4096);
    while (write(fifo, junk, sizeof(junk)) > 0) {
    }
    s.st.sink->looked_at = s.flow.env.now_ms; /* the name was looked at a moment ago */
    stream_move(&s.flow, &s.st);
    check(!s.st.sink->plain);
    check_int(in_transit(&s), 0);
    check(s.dropped_told > 0);
    free(much);
    set_done(&s);
}

static const struct {
    const char *begins, *said, *log;
    bool gathered, void_;
} ends[] = {
    { "", "", "", true, false },
    { "old\n", "", "old\n", true, false },
    { "half", "", "half\n", true, false },
    { "", "one\nhal", "one\nhal\n", false, false },
    { "", "one\n", "one\n", false, false },
    { "", "one\nhal", "one\nhal", false, true }, /* the next run has begun: it may be that one's */
};

TEST(a_run_ends_its_line)
{
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct set s;
        check_row(i);
        set_init(&s, ends[i].begins, 0);
        say(&s, ends[i].said, strlen(ends[i].said));
        stream_end_run(&s.flow, &s.st, ends[i].gathered, ends[i].void_ ? always : never, NULL);
        check_log(&s, ends[i].log);
        set_done(&s);
    }
}

/* A file of two streams: the open line at its end is ended by that one whose it is. */
TEST(a_run_ends_no_line_of_others)
{
    struct set s;
    set_init(&s, "half of another's", 0);
    s.st.sink->refs = 2;
    stream_end_run(&s.flow, &s.st, true, never, NULL);
    check_log(&s, "half of another's");
    s.st.midline = true;
    stream_end_run(&s.flow, &s.st, true, never, NULL);
    check_log(&s, "half of another's\n");
    set_done(&s);
}

TEST(a_run_ends_dated_and_json_lines)
{
    struct set s;
    set_init(&s, "", 0);
    s.st.lines = lines_new(&(struct lines_rules){ .date_format = "" });
    say(&s, "one\nhal", 7);
    stream_end_run(&s.flow, &s.st, false, never, NULL);
    say(&s, "two\n", 4);
    stream_move(&s.flow, &s.st);
    check_log(&s, "one\nhal\ntwo\n");
    set_done(&s);

    set_init(&s, "", 0);
    s.st.lines = lines_new(&(struct lines_rules){ .json = true, .stream = "out", .app = "a" });
    say(&s, "caf\xc3", 4);
    stream_end_run(&s.flow, &s.st, false, never, NULL); /* whose character is never completed */
    say(&s, "\xa9two\n", 5);
    stream_move(&s.flow, &s.st);
    char got[512] = { 0 };
    own_fd fd = open(s.path, O_RDONLY);
    check(read(fd, got, sizeof(got) - 1) > 0);
    check_contains(got, "\"message\":\"caf\xef\xbf\xbd\",\"partial\":true}\n");
    check_contains(got, "\"message\":\"\xef\xbf\xbdtwo\"}\n");
    set_done(&s);
}

/* While the app lives, a character whose rest is to come stays in the pipe. */
TEST(a_piece_ends_with_a_character)
{
    struct set s;
    char got[512] = { 0 };
    set_init(&s, "", 0);
    s.st.lines = lines_new(&(struct lines_rules){ .json = true, .stream = "out", .app = "a" });
    say(&s, "a\xe2\x82", 3);
    stream_drain(&s.flow, &s.st);
    say(&s, "\xac\n", 2);
    stream_drain(&s.flow, &s.st);
    own_fd fd = open(s.path, O_RDONLY);
    check(read(fd, got, sizeof(got) - 1) > 0);
    check_contains(got, "\"message\":\"a\",\"partial\":true}\n");
    check_contains(got, "\"message\":\"\xe2\x82\xac\"}\n");
    set_done(&s);
}

UNIT_MAIN()
