#include "logs/marks.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/unit.h"
#include "logs/names.h"

enum { S = 1000000 };

struct log {
    struct place at;
    char path[48];
    struct marks marks;
    struct marks_cache *cache;
    ino_t inode;
};

static void log_init(struct log *l)
{
    static int n;
    snprintf(l->path, sizeof(l->path), "/tmp/velos-marks-%d-%d.log", (int)getpid(), n++);
    l->at = place_own(l->path);
    l->marks = (struct marks){ .n = -1 };
    l->cache = marks_cache_new();
    l->inode = 77;
}

static void log_done(struct log *l)
{
    own_text index = names_index(l->path, l->inode);
    unlink(index);
    marks_cache_free(l->cache);
}

static void note(struct log *l, int64_t time, int64_t offset)
{
    marks_note(l->cache, (struct marks_of){ .path = l->path, .inode = l->inode, .marks = &l->marks },
               (struct mark){ time, offset });
}

TEST(sparse)
{
    struct log l;
    size_t n;
    log_init(&l);
    note(&l, 100 * S, 0);
    for (int i = 1; i < 1000; i++) /* a second, at a rate that leaves no room for more */
        note(&l, 100 * S + i * 1000, 20 * i);
    note(&l, 101 * S, 20000);
    note(&l, 101 * S + 1000, 20000 + (64 << 10));
    struct mark *m = marks_read(&l.at, l.inode, 1 << 20, &n);
    check(n > 3 && n < 340); /* 4 KiB, and a sixteenth of the log */
    check_int(m[n - 1].offset, 20000 + (64 << 10));
    check_int(marks_time(m, n, 0), 100 * S);
    check_int(marks_time(m, n, 1 << 20), 101 * S + 1000);
    check_int(marks_time(m, 0, 5), -1);
    check_int(marks_offset(m, n, 100 * S), 0);
    check_int(marks_offset(m, n, 99 * S), 0);
    check_int(marks_offset(m, n, 200 * S), 20000 + (64 << 10));
    free(m);
    log_done(&l);
}

TEST(nothing_new_is_no_mark)
{
    struct log l;
    size_t n;
    log_init(&l);
    note(&l, 1 * S, 0);
    note(&l, 1 * S + 500, 0);
    struct mark *m = marks_read(&l.at, l.inode, 100, &n);
    check_int(n, 1);
    check_int(m[0].time, 1 * S + 500);
    free(m);
    log_done(&l);
}

TEST(the_next_daemon_goes_on)
{
    struct log l;
    size_t n;
    log_init(&l);
    note(&l, 1 * S, 0);
    note(&l, 3 * S, 100);
    marks_leave(l.cache, &l.marks);
    note(&l, 5 * S, 200);
    struct mark *m = marks_read(&l.at, l.inode, 300, &n);
    check_int(n, 3);
    check_int(m[1].time, 3 * S);
    check_int(m[2].offset, 200);
    free(m);
    /* the file was truncated meanwhile: what it had is no more */
    marks_leave(l.cache, &l.marks);
    note(&l, 7 * S, 50);
    m = marks_read(&l.at, l.inode, 300, &n);
    check_int(n, 1);
    check_int(m[0].offset, 50);
    free(m);
    log_done(&l);
}

TEST(damage_is_no_error)
{
    static const char *const junk[] = { "", "x", "velosidx",
                                        "something else altogether, and long enough to be one.." };
    for (size_t i = 0; i < ARRAY_LEN(junk); i++) {
        struct log l;
        size_t n = 9;
        log_init(&l);
        own_text path = names_index(l.path, l.inode);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        check_int(write(fd, junk[i], strlen(junk[i])), strlen(junk[i]));
        close(fd);
        check(marks_read(&l.at, l.inode, 100, &n) == NULL);
        check_int(n, 0);
        note(&l, 5 * S, 10); /* and it is made anew */
        struct mark *m = marks_read(&l.at, l.inode, 100, &n);
        check_int(n, 1);
        check_int(m[0].time, 5 * S);
        free(m);
        log_done(&l);
    }
}

TEST(another_file_under_the_inode)
{
    struct log l;
    size_t n;
    log_init(&l);
    note(&l, 1 * S, 0);
    own_text old = names_index(l.path, l.inode);
    l.inode = 78;
    own_text new = names_index(l.path, l.inode);
    check_int(rename(old, new), 0);
    check(marks_read(&l.at, l.inode, 100, &n) == NULL);
    log_done(&l);
}

TEST(moved_with_its_text)
{
    struct log l;
    size_t n;
    log_init(&l);
    note(&l, 1 * S, 0);
    marks_leave(l.cache, &l.marks);
    marks_move(&l.at, l.inode, 79);
    l.inode = 79;
    struct mark *m = marks_read(&l.at, l.inode, 100, &n);
    check_int(n, 1);
    free(m);
    log_done(&l);
}

TEST(taken_over_from_a_log_that_was_deleted)
{
    struct log l;
    size_t n;
    log_init(&l);
    for (int i = 0; i < 50; i++)
        note(&l, (1 + i) * S, i);
    marks_leave(l.cache, &l.marks);
    marks_reuse(&l.at, l.inode, 79);
    check(marks_read(&l.at, l.inode, 100, &n) == NULL);
    l.inode = 79;
    check(marks_read(&l.at, l.inode, 100, &n) == NULL); /* not before it is its own */
    note(&l, 100 * S, 0);
    note(&l, 102 * S, 60);
    struct mark *m = marks_read(&l.at, l.inode, 100, &n);
    check_int(n, 2);
    check_int(m[1].time, 102 * S);
    free(m);
    marks_reuse(&l.at, 80, l.inode); /* it had none: ours stays */
    m = marks_read(&l.at, l.inode, 100, &n);
    check_int(n, 2);
    free(m);
    log_done(&l);
}

TEST(what_goes_back_is_straightened)
{
    struct log l;
    size_t n;
    log_init(&l);
    note(&l, 9 * S, 0);
    note(&l, 5 * S, 10); /* the clock was set back */
    note(&l, 20 * S, 30);
    struct mark *m = marks_read(&l.at, l.inode, 20, &n);
    check_int(n, 2); /* the last one is behind the end of the file */
    check_int(m[0].time, 5 * S);
    check_int(m[1].time, 5 * S);
    free(m);
    log_done(&l);
}

/* More logs than it keeps open. */
TEST(many)
{
    enum { MANY = 50 };
    struct log l[MANY];
    struct marks_cache *cache = marks_cache_new();
    size_t n;
    for (int i = 0; i < MANY; i++) {
        log_init(&l[i]);
        marks_cache_free(l[i].cache);
        l[i].cache = cache;
    }
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < MANY; i++)
            note(&l[i], (round + 1) * S + i, round * 100);
    for (int i = 0; i < MANY; i++) {
        struct mark *m = marks_read(&l[i].at, l[i].inode, 1000, &n);
        check_row((size_t)i);
        check_int(n, 3);
        check_int(m[2].time, 3 * S + i);
        free(m);
        own_text index = names_index(l[i].path, l[i].inode);
        unlink(index);
    }
    marks_cache_free(cache);
}

/* An index that somebody else has made: not more of it is read than a log of that size can have, and of any
 * size not more than has a bound. */
TEST(huge)
{
    struct log l;
    size_t n;
    log_init(&l);
    note(&l, 100 * S, 0);
    note(&l, 101 * S, 500);
    own_text index = names_index(l.path, l.inode);
    check_int(truncate(index, (off_t)1 << 40), 0);
    struct mark *m = marks_read(&l.at, l.inode, 10, &n);
    check(m && n <= 11);
    free(m);
    m = marks_read(&l.at, l.inode, -1, &n);
    check(m && n <= MARKS_MAX);
    free(m);
    marks_leave(l.cache, &l.marks);
    note(&l, 102 * S, 600); /* who writes does not go on with it */
    m = marks_read(&l.at, l.inode, 600, &n);
    check_int(n, 1);
    check_int(m[0].offset, 600);
    free(m);
    log_done(&l);
}

UNIT_MAIN()
