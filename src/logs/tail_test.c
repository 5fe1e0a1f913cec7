#include "logs/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"
#include "logs/history.h"

/* A folder of its own for each test, with one log file in it. */
struct scene {
    char dir[32];
    char *path;
};

static struct scene place_new(void)
{
    struct scene p = { .dir = "/tmp/velos-tail-XXXXXX" };
    check(mkdtemp(p.dir));
    p.path = path_join(p.dir, "x.log");
    return p;
}

static void scene_done(struct scene *p)
{
    own_text command = xasprintf("rm -rf %s", p->dir);
    check_int(system(command), 0);
    free(p->path);
}

static void append(const char *path, const char *text, size_t n)
{
    struct err e;
    own_fd fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    check(fd >= 0);
    check_int(file_write_all(fd, text, n, &e), 0);
}

static void add(const char *path, const char *text)
{
    append(path, text, strlen(text));
}

static void on_line(void *arg, const char *line, size_t n)
{
    buf_add(arg, line, n);
    buf_addc(arg, ';');
}

static void check_read(struct tail *t, const char *want)
{
    own_buf got = { 0 };
    buf_adds(&got, "");
    tail_read(t, on_line, &got);
    check_text(got.data, want);
}

static void check_flush(struct tail *t, const char *want)
{
    own_buf got = { 0 };
    buf_adds(&got, "");
    tail_flush(t, on_line, &got);
    check_text(got.data, want);
}

TEST(last_lines)
{
    static const struct {
        const char *text;
        size_t lines;
        const char *whole, *part;
    } rows[] = {
        { "", 3, "", "" },
        { "a\n", 3, "a;", "" },
        { "a\nb\nc\n", 2, "b;c;", "" },
        { "a\nb\nc\n", 3, "a;b;c;", "" },
        { "a\nb\nc\n", 9, "a;b;c;", "" },
        { "a\nb\nc", 2, "b;", "c;" },
        { "a\nb\nc", 1, "", "c;" },
        { "a\nb\nc", 0, "", "c;" }, /* its beginning is not lost when its end comes */
        { "a\nb\n", 0, "", "" },
        { "\n\n\n", 2, ";;", "" },
        { "abc", 5, "", "abc;" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct scene p = place_new();
        add(p.path, rows[i].text);
        struct tail *t = tail_new(p.path, NULL);
        tail_seek(t, rows[i].lines);
        check_read(t, rows[i].whole);
        check_flush(t, rows[i].part);
        tail_free(t);
        scene_done(&p);
    }
}

/* Lines that lie across the blocks the search reads backwards in. */
TEST(last_lines_of_a_large_file)
{
    struct scene p = place_new();
    own_buf text = { 0 };
    for (int i = 0; i < 50000; i++)
        buf_addf(&text, "line number %d\n", i);
    append(p.path, text.data, text.len);
    static const size_t rows[] = { 1, 100, 4096, 9000, 49999, 50000, 60000 };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        size_t from = 50000 - MIN(rows[i], (size_t)50000);
        struct tail *t = tail_new(p.path, NULL);
        own_buf got = { 0 };
        own_buf want = { 0 };
        for (size_t n = from; n < 50000; n++)
            buf_addf(&want, "line number %zu;", n);
        tail_seek(t, rows[i]);
        tail_read(t, on_line, &got);
        check_int(got.len, want.len);
        check_text(got.data, want.data);
        tail_free(t);
    }
    scene_done(&p);
}

/* Between the look at what there is and the following. */
static void check_news(const char *before, const char *then, const char *want)
{
    struct scene p = place_new();
    const struct segment_filter all = { 0 };
    if (before)
        add(p.path, before);
    struct history *h = history_new(p.path, NULL, &all, INT64_MAX);
    add(p.path, then);
    struct tail *t = history_tail(h);
    check_read(t, want);
    tail_free(t);
    history_free(h);
    scene_done(&p);
}

TEST(what_comes_before_the_following_begins_is_not_missed)
{
    check_news(NULL, "a\n", "a;"); /* a file that is new, too */
    check_news("", "a\n", "a;");
    check_news("a\n", "b\nc\n", "b;c;");
    check_news("a\nb", "c\nd\n", "bc;d;");
}

TEST(follows_what_is_written)
{
    struct scene p = place_new();
    struct tail *t = tail_new(p.path, NULL);
    check_read(t, ""); /* not there yet */
    add(p.path, "a\nb");
    check_read(t, "a;");
    check_read(t, "");
    add(p.path, "c\nd\n");
    check_read(t, "bc;d;");
    tail_free(t);
    scene_done(&p);
}

TEST(follows_over_rotations)
{
    struct scene p = place_new();
    own_text one = xasprintf("%s.1", p.path);
    own_text two = xasprintf("%s.2", p.path);
    own_text three = xasprintf("%s.3", p.path);
    struct tail *t = tail_new(p.path, NULL);
    add(p.path, "a\n");
    check_read(t, "a;");

    add(p.path, "b\n");
    check_int(rename(p.path, one), 0);
    check_read(t, "b;"); /* there is no new file yet: ours goes on */
    add(one, "c\n");
    add(p.path, "d\n");
    check_read(t, "c;d;");

    /* two rotations between reads: the file in between is read too */
    add(p.path, "e\n");
    check_int(rename(one, three), 0);
    check_int(rename(p.path, two), 0);
    add(one, "f\n");
    add(p.path, "g\n");
    check_read(t, "e;f;g;");
    tail_free(t);
    scene_done(&p);
}

TEST(follows_over_truncation_and_deletion)
{
    struct scene p = place_new();
    struct tail *t = tail_new(p.path, NULL);
    add(p.path, "first\nsecond\npar");
    check_read(t, "first;second;");
    check_int(truncate(p.path, 0), 0);
    add(p.path, "new\n");
    check_read(t, "new;");

    check_int(unlink(p.path), 0);
    check_read(t, "");
    add(p.path, "again\n");
    check_read(t, "again;");

    add(p.path, "unfinished"); /* its newline cannot come any more */
    check_int(unlink(p.path), 0);
    add(p.path, "last\n");
    check_read(t, "unfinished;last;");
    tail_free(t);
    scene_done(&p);
}

TEST(only_regular_files)
{
    struct tail *t = tail_new("/dev/zero", NULL);
    tail_seek(t, 3);
    check_read(t, "");
    tail_free(t);
}

/* n bytes of `c`, and a newline. */
static void add_long(const char *path, char c, size_t n)
{
    own_buf text = { 0 };
    buf_fill(&text, c, n);
    buf_addc(&text, '\n');
    append(path, text.data, text.len);
}

/* What is given out, put together again as it was; ">" where a piece begins that continues a line. */
static void check_together(struct tail *t, const char *want, size_t n)
{
    own_buf got = { 0 };
    struct tail_at at;
    bool inside = false;
    while (tail_next(t, &at)) {
        check_int(at.continues, inside);
        check(at.n <= SEGMENT_PIECE);
        buf_add(&got, at.line, at.n);
        if (!at.goes_on)
            buf_addc(&got, '\n');
        inside = at.goes_on;
    }
    check_int(got.len, n);
    check(memcmp(got.data, want, n) == 0);
}

TEST(a_long_line_is_given_out_in_pieces)
{
    static const size_t rows[] = { SEGMENT_PIECE - 1,    SEGMENT_PIECE, SEGMENT_PIECE + 1,
                                   2 * SEGMENT_PIECE,    3 << 20,       (3 << 20) + 12345,
                                   SEGMENT_PIECE + 65537 };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scene p = place_new();
        own_buf want = { 0 };
        check_row(i);
        buf_adds(&want, "before\n");
        buf_fill(&want, 'x', rows[i]);
        buf_adds(&want, "\nafter\n");
        append(p.path, want.data, want.len);
        struct tail *t = tail_new(p.path, NULL);
        check_together(t, want.data, want.len);
        tail_free(t);
        scene_done(&p);
    }
}

TEST(a_piece_ends_with_a_character)
{
    struct scene p = place_new();
    struct tail_at at;
    own_buf text = { 0 };
    buf_fill(&text, 'x', SEGMENT_PIECE - 2);
    buf_adds(&text, "\xf0\x9f\x90\x88 cat\n");
    append(p.path, text.data, text.len);
    struct tail *t = tail_new(p.path, NULL);
    check(tail_next(t, &at));
    check_int(at.n, SEGMENT_PIECE - 2);
    check(at.goes_on);
    check(tail_next(t, &at));
    check_int(at.n, 8);
    check(at.continues && !at.goes_on);
    tail_free(t);
    scene_done(&p);
}

TEST(the_rest_of_a_long_line_can_be_left_out)
{
    struct scene p = place_new();
    struct tail_at at;
    add_long(p.path, 'x', 5 << 20);
    add(p.path, "next\n");
    struct tail *t = tail_new(p.path, NULL);
    check(tail_next(t, &at) && at.goes_on);
    tail_skip_line(t);
    check(tail_next(t, &at));
    check(!at.continues && !at.goes_on);
    check_int(at.n, 4);
    tail_skip_line(t); /* of one that is whole: nothing */
    add(p.path, "last\n");
    check_read(t, "last;");
    tail_free(t);
    scene_done(&p);
}

/* A file may be full in the middle of a line: it goes on in the next one. */
TEST(a_line_that_a_rotation_cut_is_one)
{
    struct scene p = place_new();
    own_text one = xasprintf("%s.1", p.path);
    own_text two = xasprintf("%s.2", p.path);
    struct tail_at at;
    struct tail *t = tail_new(p.path, NULL);
    add(p.path, "first\nbegin");
    check_read(t, "first;");
    check_int(rename(p.path, one), 0);
    add(p.path, "ning and end\n");
    check(tail_next(t, &at));
    check(at.goes_on && !at.continues);
    check(tail_next(t, &at));
    check(!at.goes_on && at.continues);
    check_int(at.n, 12);

    /* not where a file is missing in between: it cannot be its end */
    add(p.path, "lost end");
    check(!tail_next(t, &at));
    check_int(rename(p.path, two), 0);
    check_int(unlink(two), 0);
    add(p.path, "another\n");
    check(tail_next(t, &at));
    check(!at.goes_on);
    check(tail_next(t, &at));
    check(!at.continues);
    tail_free(t);
    scene_done(&p);
}

static bool begins_with_x(void *arg, const char *line, size_t n)
{
    *(size_t *)arg = MAX(*(size_t *)arg, n);
    return n && line[0] == 'x';
}

/* Back over long lines: found where they begin, judged by their first piece, plain and compressed. */
TEST(going_back_over_long_lines)
{
    struct scene p = place_new();
    own_text gz = xasprintf("%s.1", p.path);
    static const int64_t sizes[] = { 10, 5 << 20, (1 << 20) + 1, 3, 2 << 20 };
    int64_t starts[ARRAY_LEN(sizes)], at = 0;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        starts[i] = at;
        add_long(p.path, i == 2 ? 'y' : 'x', (size_t)sizes[i]);
        at += sizes[i] + 1;
    }
    own_text command = xasprintf("gzip -c %s > %s.gz", p.path, gz);
    check_int(system(command), 0);
    for (int number = 0; number <= 1; number++) {
        struct segment s = SEGMENT_NONE;
        int64_t found[8] = { 0 };
        size_t longest = 0;
        const struct segment_filter f = { begins_with_x, &longest };
        check_row(number);
        check(segment_open(&s, p.path, number));
        check_int(segment_back(&s, -1, NULL, ARRAY_LEN(found), found), 5);
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
            check_int(found[i], starts[ARRAY_LEN(sizes) - 1 - i]);
        check_int(segment_back(&s, -1, &f, ARRAY_LEN(found), found), 4);
        check_int(found[2], starts[1]);
        check_int(longest, SEGMENT_PIECE);
        segment_close(&s);
    }
    scene_done(&p);
}

/* Its turn comes again when there is a descriptor for it. */
TEST(no_descriptor_is_left)
{
    struct scene p = place_new();
    own_text one = xasprintf("%s.1", p.path);
    struct rlimit was, none;
    struct tail *t = tail_new(p.path, NULL);
    add(p.path, "a\n");
    check_read(t, "a;");
    check_int(rename(p.path, one), 0);
    add(p.path, "b\n");
    check_int(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = (struct rlimit){ 0, was.rlim_max };
    check_int(setrlimit(RLIMIT_NOFILE, &none), 0);
    check_read(t, "");
    check_int(setrlimit(RLIMIT_NOFILE, &was), 0);
    check_int(tail_error(t), EMFILE);
    check_int(tail_error(t), 0);
    check_read(t, "b;");
    check_int(tail_error(t), 0);
    tail_free(t);
    scene_done(&p);
}

TEST(the_rest_is_one_line)
{
    struct scene p = place_new();
    struct tail *t = tail_new(p.path, NULL);
    struct tail_at at;
    add(p.path, "a\nb\nc");
    check(tail_next(t, &at));
    check(!tail_rest(t, &at)); /* b comes before it */
    check(tail_next(t, &at));
    check(tail_rest(t, &at));
    check_int(at.n, 1);
    tail_free(t);
    scene_done(&p);
}

UNIT_MAIN()
