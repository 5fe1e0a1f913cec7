#include "logs/rotate.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"
#include "logs/names.h"

struct scene {
    char dir[32], *log;
};

static void scene_init(struct scene *p)
{
    strcpy(p->dir, "/tmp/velos-rotate-XXXXXX");
    check(mkdtemp(p->dir) != NULL);
    p->log = path_join(p->dir, "a.log");
}

static void scene_done(struct scene *p)
{
    own_text command = xasprintf("rm -rf %s", p->dir);
    check_int(system(command), 0);
    free(p->log);
}

/* "a.log=5 a.log.1=4 a.log.2.gz=3": files and what is in them. */
static void put_files(const struct scene *p, const char *files)
{
    own_strv words = NULL;
    struct err e;
    check_int(text_split_words(files, &words, &e), 0);
    for (char **w = words; w && *w; w++) {
        char *eq = strchr(*w, '=');
        *eq = '\0';
        own_text path = path_join(p->dir, *w);
        own_fd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        check_int(file_write_all(fd, eq + 1, strlen(eq + 1), &e), 0);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *list_files(const struct scene *p)
{
    own_strv names = NULL;
    own_buf out = { 0 };
    DIR *d = opendir(p->dir);
    for (const struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            names = strv_add(names, e->d_name);
    closedir(d);
    if (names)
        qsort(names, strv_len(names), sizeof(*names), by_name);
    for (char **n = names; n && *n; n++) {
        own_text path = path_join(p->dir, *n);
        own_text content = NULL;
        struct err e;
        check_int(file_read(path, 1 << 20, &content, NULL, &e), 0);
        buf_addf(&out, "%s%s=%s", out.len ? " " : "", *n, content);
    }
    return buf_steal(&out);
}

static void on_trash(void *arg, int take_fd)
{
    ++*(int *)arg;
    close(take_fd);
}

static const struct {
    const char *before;
    int keep;
    const char *after;
} rows[] = {
    { "a.log=x", 3, "a.log.1=x" },
    { "a.log=x a.log.1=y", 3, "a.log.1=x a.log.2=y" },
    { "a.log=x a.log.1=y a.log.2=z", 2, "a.log.1=x a.log.2=y" },
    { "a.log=x a.log.1=y", 0, "" },
    { "a.log=x a.log.1.gz=y a.log.2=z", 3, "a.log.1=x a.log.2.gz=y a.log.3=z" },
    { "a.log=x a.log.1.gz=y a.log.2.gz=z", 2, "a.log.1=x a.log.2.gz=y" },
    /* fewer are to be kept than there are: whatever the gaps */
    { "a.log=x a.log.1=y a.log.2=z a.log.4=v a.log.9.gz=w", 2, "a.log.1=x a.log.2=y" },
    /* a gap is filled first: what a rotation that was killed leaves */
    { "a.log=x a.log.2=y a.log.3=z", 3, "a.log.1=x a.log.2=y a.log.3=z" },
    { "a.log=x a.log.1=y a.log.3=z", 3, "a.log.1=x a.log.2=y a.log.3=z" },
    { "a.log=x a.log.1=y a.log.2=z a.log.4=v", 4, "a.log.1=x a.log.2=y a.log.3=z a.log.4=v" },
    /* killed between the last two steps of a compression */
    { "a.log=x a.log.1=y a.log.1.gz=Y a.log.2=z", 3, "a.log.1=x a.log.2.gz=Y a.log.3=z" },
    /* other apps' files, and people's */
    { "a.log=x aa.log.1=1 a.log.old=2 a.log.01=3 a.logb.1=4 ba.log.1=5 a.log.1.bak=6", 1,
      "a.log.01=3 a.log.1=x a.log.1.bak=6 a.log.old=2 a.logb.1=4 aa.log.1=1 ba.log.1=5" },
    { "a.log=x aa.log=0 aa.log.1=1 aa.log.2=2", 0, "aa.log=0 aa.log.1=1 aa.log.2=2" },
};

TEST(rotations)
{
    ino_t spare;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scene p;
        int trash = 0;
        struct rotate r = { -1 };
        struct rotate_rules rules = { 1, rows[i].keep, false };
        scene_init(&p);
        check_row(i);
        put_files(&p, rows[i].before);
        check_int(rotate_run(&(struct place){ .dir = AT_FDCWD, .name = p.log }, &r, &rules,
                             &(struct rotate_trash){ on_trash, &trash }, &spare),
                  0);
        own_text after = list_files(&p);
        check_text(after, rows[i].after);
        scene_done(&p);
    }
}

/* Again and again with what it remembers; somebody deletes one in between. */
TEST(in_a_row)
{
    ino_t spare;
    struct scene p;
    int trash = 0;
    struct rotate r = { -1 };
    struct rotate_rules rules = { 1, 3, false };
    scene_init(&p);
    for (int i = 1; i <= 6; i++) {
        own_text file = xasprintf("a.log=%d", i);
        put_files(&p, file);
        if (i == 5) {
            own_text second = names_archive(p.log, 2, false);
            check_int(unlink(second), 0);
        }
        check_int(rotate_run(&(struct place){ .dir = AT_FDCWD, .name = p.log }, &r, &rules,
                             &(struct rotate_trash){ on_trash, &trash }, &spare),
                  0);
    }
    own_text after = list_files(&p);
    check_text(after, "a.log.1=6 a.log.2=5 a.log.3=4");
    check_int(trash, 1 + 1);
    scene_done(&p);
}

/* Killed after any number of its steps, the next one brings it to the same end, but for the steps' own order.
 */
TEST(interrupted)
{
    ino_t spare;
    for (int steps = 0; steps <= 4; steps++) {
        struct scene p;
        int trash = 0;
        struct rotate r = { -1 };
        struct rotate_rules rules = { 1, 5, false };
        scene_init(&p);
        check_row((size_t)steps);
        put_files(&p, "a.log=4 a.log.1=3 a.log.2=2 a.log.3=1");
        for (int i = 0; i < steps; i++) { /* 3 -> 4, 2 -> 3, 1 -> 2, a.log -> 1 */
            own_text from = i == 3 ? xstrdup(p.log) : names_archive(p.log, 3 - i, false);
            own_text to = names_archive(p.log, 4 - i, false);
            check_int(rename(from, to), 0);
        }
        if (steps == 4)
            put_files(&p, "a.log=5"); /* made by the daemon that came next, and full in turn */
        check_int(rotate_run(&(struct place){ .dir = AT_FDCWD, .name = p.log }, &r, &rules,
                             &(struct rotate_trash){ on_trash, &trash }, &spare),
                  0);
        own_text after = list_files(&p);
        check_text(after, steps == 4 ? "a.log.1=5 a.log.2=4 a.log.3=3 a.log.4=2 a.log.5=1"
                                     : "a.log.1=4 a.log.2=3 a.log.3=2 a.log.4=1");
        scene_done(&p);
    }
}

TEST(indexes_go_with_their_files)
{
    ino_t spare;
    struct scene p;
    struct stat st;
    int trash = 0;
    struct rotate r = { -1 };
    scene_init(&p);
    put_files(&p, "a.log=x a.log.1=y a.log.2=z .a.log.99.idx=orphan aa.log=q .aa.log.98.idx=other");
    own_text old = names_archive(p.log, 2, false);
    check_int(stat(old, &st), 0);
    own_text index = names_index(p.log, st.st_ino);
    put_files(&p, "dummy=1");
    own_text command = xasprintf("touch %s", index);
    check_int(system(command), 0);
    check_int(rotate_run(&(struct place){ .dir = AT_FDCWD, .name = p.log }, &r,
                         &(struct rotate_rules){ 1, 2, false }, &(struct rotate_trash){ on_trash, &trash },
                         &spare),
              0);
    check_int(spare, st.st_ino); /* the new log's, if it wants it */
    check_int(unlink(index), 0);
    own_text after = list_files(&p);
    check_text(after, ".aa.log.98.idx=other a.log.1=x a.log.2=y aa.log=q dummy=1");
    scene_done(&p);
}

/* keep was lowered while the log was open. */
TEST(one_index_alone_is_left_over)
{
    struct scene p;
    struct stat st[4];
    int trash = 0;
    ino_t spare;
    struct rotate r = { 3 };
    scene_init(&p);
    put_files(&p, "a.log=x a.log.1=y a.log.2=z a.log.3=v");
    for (int i = 1; i <= 3; i++) {
        own_text archive = names_archive(p.log, i, false);
        check_int(stat(archive, &st[i]), 0);
        own_text index = names_index(p.log, st[i].st_ino);
        own_text command = xasprintf("touch %s", index);
        check_int(system(command), 0);
    }
    check_int(rotate_run(&(struct place){ .dir = AT_FDCWD, .name = p.log }, &r,
                         &(struct rotate_rules){ 1, 1, false }, &(struct rotate_trash){ on_trash, &trash },
                         &spare),
              0);
    check_int(spare, st[3].st_ino);
    own_text index = names_index(p.log, spare);
    check_int(unlink(index), 0);
    own_text after = list_files(&p);
    check_text(after, "a.log.1=x");
    scene_done(&p);
}

TEST(flush_deletes_archives_alone)
{
    struct scene p;
    int trash = 0;
    struct rotate r = { 2 };
    scene_init(&p);
    put_files(&p, "a.log=x a.log.1=yy a.log.2.gz=zzz a.log.7=v .a.log.gz-part=w aa.log.1=q");
    check_int(rotate_delete_all(&(struct place){ .dir = AT_FDCWD, .name = p.log }, &r,
                                &(struct rotate_trash){ on_trash, &trash }),
              6);
    own_text after = list_files(&p);
    check_text(after, "a.log=x aa.log.1=q");
    check_int(r.count, 0);
    scene_done(&p);
}

/* A folder that nobody may write to: the file is still there, and so is all of it. */
TEST(refused)
{
    ino_t spare;
    struct scene p;
    int trash = 0;
    struct rotate r = { -1 };
    scene_init(&p);
    put_files(&p, "a.log.1=y");
    check(rotate_run(&(struct place){ .dir = AT_FDCWD, .name = p.log }, &r,
                     &(struct rotate_rules){ 1, 3, false }, &(struct rotate_trash){ on_trash, &trash },
                     &spare) < 0);
    put_files(&p, "a.log=x");
    check_int(rotate_run(&(struct place){ .dir = AT_FDCWD, .name = p.log }, &r,
                         &(struct rotate_rules){ 1, 3, false }, &(struct rotate_trash){ on_trash, &trash },
                         &spare),
              0);
    own_text after = list_files(&p);
    check_text(after, "a.log.1=x a.log.2=y");
    scene_done(&p);
}

UNIT_MAIN()
