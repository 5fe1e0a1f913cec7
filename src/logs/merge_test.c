#include "logs/merge.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"
#include "logs/gzip.h"
#include "logs/names.h"

/* Logs made by hand: line n of log k was written at second `times[k][n]`, 7 lines a file, the older ones
 * gzipped. */
enum { LOGS = 3, LINES = 200, A_FILE = 7, US = 1000000 };

struct scene {
    char dir[32];
    char *paths[LOGS];
    int64_t times[LOGS][LINES];
};

static void write_file(const char *path, const struct buf *text)
{
    struct err e;
    own_fd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    check_int(file_write_all(fd, text->data, text->len, &e), 0);
}

static void squeeze(const char *path)
{
    own_text gz = xasprintf("%s.gz", path);
    own_text command = xasprintf("gzip -f %s", path);
    check_int(system(command), 0);
}

static ino_t inode_of(const char *path)
{
    struct segment s = SEGMENT_NONE;
    own_text dir = path_dir(path);
    check(segment_open(&s, path, 0));
    ino_t inode = s.inode;
    segment_close(&s);
    return inode;
}

static void note_times(const char *log, const char *file, const int64_t *times, const int64_t *offsets,
                       size_t n)
{
    struct marks_cache *c = marks_cache_new();
    struct marks m = { .n = -1 };
    for (size_t i = 0; i < n; i++)
        marks_note(c, (struct marks_of){ .path = log, .inode = inode_of(file), .marks = &m },
                   (struct mark){ times[i], offsets[i] });
    marks_leave(c, &m);
    marks_cache_free(c);
}

static void write_log(struct scene *s, int k)
{
    int files = (LINES + A_FILE - 1) / A_FILE;
    for (int f = 0; f < files; f++) {
        own_buf text = { 0 };
        int64_t offsets[A_FILE];
        int from = f * A_FILE, to = MIN(from + A_FILE, LINES), number = files - 1 - f;
        own_text path = number ? names_archive(s->paths[k], number, false) : xstrdup(s->paths[k]);
        for (int i = from; i < to; i++) {
            offsets[i - from] = (int64_t)text.len;
            buf_addf(&text, "%d %lld %s\n", k, (long long)(s->times[k][i] / US), i % 3 ? "even" : "third");
        }
        write_file(path, &text);
        note_times(s->paths[k], path, s->times[k] + from, offsets, (size_t)(to - from));
        own_text stamp = xasprintf("touch -d @%lld %s", (long long)(s->times[k][to - 1] / US), path);
        check_int(system(stamp), 0);
        if (number > 2) {
            ino_t was = inode_of(path);
            squeeze(path);
            own_text gz = xasprintf("%s.gz", path);
            marks_move(&(struct place){ .dir = AT_FDCWD, .name = s->paths[k] }, was, inode_of(gz));
        }
    }
}

static void scene_init(struct scene *s)
{
    strcpy(s->dir, "/tmp/velos-merge-XXXXXX");
    check(mkdtemp(s->dir) != NULL);
    srand(7);
    for (int k = 0; k < LOGS; k++) {
        s->paths[k] = xasprintf("%s/log%d", s->dir, k);
        int64_t now = 1000;
        for (int i = 0; i < LINES; i++)
            s->times[k][i] = (now += 1 + rand() % 9) * LOGS * US + k * US; /* all differ */
        write_log(s, k);
    }
}

static void scene_done(struct scene *s)
{
    own_text command = xasprintf("rm -rf %s", s->dir);
    check_int(system(command), 0);
    for (int k = 0; k < LOGS; k++)
        free(s->paths[k]);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* What is to come, by looking at everything. */
static size_t oracle(const struct scene *s, size_t lines, int64_t since, int64_t until, bool third,
                     int64_t *out)
{
    size_t n = 0;
    for (int k = 0; k < LOGS; k++)
        for (int i = 0; i < LINES; i++)
            if (s->times[k][i] >= since && s->times[k][i] <= until && (!third || i % 3 == 0))
                out[n++] = s->times[k][i];
    qsort(out, n, sizeof(*out), by_value);
    size_t skip = n > lines ? n - lines : 0;
    memmove(out, out + skip, (n - skip) * sizeof(*out));
    return n - skip;
}

struct got {
    int64_t seconds[LOGS * LINES];
    size_t n;
};

static bool on_line(void *arg, size_t which, int64_t time, const struct tail_at *at)
{
    struct got *g = arg;
    long long second;
    int k;
    check_int(sscanf(at->line, "%d %lld", &k, &second), 2);
    check_int(k, which);
    g->seconds[g->n++] = second;
    return true;
}

static bool is_third(void *arg, const char *line, size_t n)
{
    return n > 5 && memcmp(line + n - 5, "third", 5) == 0;
}

static void run(const struct scene *s, size_t lines, int64_t since, int64_t until, bool third)
{
    struct got got = { .n = 0 };
    static int64_t want[LOGS * LINES];
    struct segment_filter f = { third ? is_third : NULL, NULL }, filters[LOGS] = { f, f, f };
    struct merge m = {
        .paths = (const char *const *)s->paths,
        .n = LOGS,
        .lines = lines,
        .now = 0, /* the clock was set back */
        .since = since,
        .until = until,
        .filters = filters,
        .line = on_line,
        .arg = &got,
    };
    size_t n = oracle(s, lines, since, until, third, want);
    struct tail **tails = merge_run(&m);
    check_int(got.n, n);
    for (size_t i = 0; i < n; i++)
        check_int(got.seconds[i], want[i] / US);
    for (int k = 0; k < LOGS; k++)
        tail_free(tails[k]);
    free(tails);
}

TEST(against_all_of_it)
{
    struct scene s;
    scene_init(&s);
    static const size_t lines[] = { 0, 1, 2, 7, 20, 63, 64, 65, 130, 599, 600, 1000 };
    int64_t from = s.times[0][60] - US / 2, to = s.times[1][150] + US / 2;
    size_t row = 0;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        for (int third = 0; third <= 1; third++) {
            check_row(row++);
            run(&s, lines[i], INT64_MIN, INT64_MAX, third);
            run(&s, lines[i], from, INT64_MAX, third);
            run(&s, lines[i], INT64_MIN, to, third);
            run(&s, lines[i], from, to, third);
        }
    for (int third = 0; third <= 1; third++) {
        run(&s, SIZE_MAX, from, INT64_MAX, third);
        run(&s, SIZE_MAX, from, to, third);
        run(&s, SIZE_MAX, s.times[2][LINES - 1] + US, INT64_MAX, third);
    }
    scene_done(&s);
}

/* As many as are looked for in one go: that there is no other is found out with the next file open. */
TEST(a_file_all_of_which_is_wanted)
{
    static const struct {
        const char *name;
        int k, lines, second;
    } files[] = { { "a", 0, 64, 3000 }, { "a.1", 0, 100, 1000 }, { "b", 1, 100, 2000 } };
    char dir[] = "/tmp/velos-merge-XXXXXX";
    check(mkdtemp(dir) != NULL);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        own_text path = path_join(dir, files[i].name);
        own_text stamp = xasprintf("touch -d @%d %s", files[i].second, path);
        own_buf text = { 0 };
        for (int n = 0; n < files[i].lines; n++)
            buf_addf(&text, "%d %d\n", files[i].k, files[i].second);
        write_file(path, &text);
        check_int(system(stamp), 0);
    }
    own_text a = path_join(dir, "a");
    own_text b = path_join(dir, "b");
    const char *paths[] = { a, b };
    struct segment_filter filters[2] = { { 0 }, { 0 } };
    struct got got = { .n = 0 };
    struct merge m = { .paths = paths,
                       .n = 2,
                       .lines = 80,
                       .since = INT64_MIN,
                       .until = INT64_MAX,
                       .now = INT64_MAX,
                       .filters = filters,
                       .line = on_line,
                       .arg = &got };
    struct tail **tails = merge_run(&m);
    check_int(got.n, 80);
    check_int(got.seconds[0], 2000);
    check_int(got.seconds[79], 3000);
    tail_free(tails[0]);
    tail_free(tails[1]);
    free(tails);
    own_text command = xasprintf("rm -rf %s", dir);
    check_int(system(command), 0);
}

/* Somebody writes more than one line for each that is read. */
struct writer {
    const char *path;
    int written;
};

static bool write_another(void *arg, const char *line, size_t n)
{
    struct writer *w = arg;
    own_fd fd = open(w->path, O_WRONLY | O_APPEND);
    if (w->written++ < 10000)
        check_int(write(fd, "1\n2\n", 4), 4);
    return false;
}

TEST(ends_beside_who_writes_faster)
{
    struct scene s;
    scene_init(&s);
    const char *path = s.paths[0];
    struct writer w = { path, 0 };
    struct segment_filter f = { write_another, &w };
    struct got got = { .n = 0 };
    struct merge m = { .paths = &path,
                       .n = 1,
                       .lines = SIZE_MAX,
                       .since = INT64_MIN,
                       .until = INT64_MAX,
                       .now = INT64_MAX,
                       .filters = &f,
                       .line = on_line,
                       .arg = &got };
    struct tail **tails = merge_run(&m);
    check_int(got.n, 0);
    check(w.written <= LINES + 1);
    tail_free(tails[0]);
    free(tails);
    scene_done(&s);
}

UNIT_MAIN()
