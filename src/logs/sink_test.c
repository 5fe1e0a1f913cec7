#include "logs/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"

enum { USER = 54321 };

struct scene {
    char dir[32];
    char *log, *target;
    struct sink_env env;
};

/* What is discarded is handed over between the removal of the old file and the making of the next one: there
 * a link comes. */
static void link_in_the_gap(void *arg, int take_fd)
{
    const struct scene *s = arg;
    close(take_fd);
    check_int(symlink(s->target, s->log), 0);
}

static void on_note(void *arg, struct sink *s, enum sink_note what, int error)
{
}

static void on_rotated(void *arg, struct sink *s)
{
}

static void scene_init(struct scene *s)
{
    *s = (struct scene){ .dir = "/tmp/velos-sink-XXXXXX" };
    check(mkdtemp(s->dir));
    s->log = path_join(s->dir, "a.log");
    s->target = path_join(s->dir, "target");
    s->env = (struct sink_env){
        .marks = marks_cache_new(), .trash = { link_in_the_gap, s }, .note = on_note, .rotated = on_rotated
    };
    own_fd fd = open(s->target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    check(fd >= 0);
}

static void scene_done(struct scene *s)
{
    own_text command = xasprintf("rm -rf %s", s->dir);
    check_int(system(command), 0);
    marks_cache_free(s->env.marks);
    free(s->log);
    free(s->target);
}

TEST(owner_and_mode_go_to_no_file_but_ours)
{
    struct scene s;
    struct stat st;
    scene_init(&s);
    struct sink *sink = sink_new(s.log, &(struct rotate_rules){ .max = 10 }, NULL);
    check(sink_open(&s.env, sink));
    check_int(fchmod(sink->fd, 0666), 0);
    check(geteuid() != 0 || fchown(sink->fd, USER, USER) == 0);
    sink_rotate(&s.env, sink);
    check_int(lstat(s.log, &st), 0);
    check(S_ISLNK(st.st_mode)); /* it came */
    check_int(stat(s.target, &st), 0);
    check_int(st.st_uid, geteuid());
    check_int(st.st_mode & 07777, 0600);
    sink_free(&s.env, sink);
    scene_done(&s);
}

TEST(the_next_file_is_no_program)
{
    struct scene s;
    struct stat st;
    scene_init(&s);
    struct sink *sink = sink_new(s.log, &(struct rotate_rules){ .max = 10, .keep = 1 }, NULL);
    check(sink_open(&s.env, sink));
    check_int(fchmod(sink->fd, 07751), 0);
    check(sink_rotate(&s.env, sink));
    check_int(fstat(sink->fd, &st), 0);
    check_int(st.st_mode & 07777, 0751);
    sink_free(&s.env, sink);
    scene_done(&s);
}

/* Two users' streams are of one file only where neither can change its path. */
TEST(shared_where_only_root_can_change_it)
{
    if (geteuid() != 0)
        skip();
    struct scene s;
    scene_init(&s);
    own_rights one = rights_new(&(struct os_fsid){ .uid = USER, .gid = USER }, NULL);
    own_rights other = rights_new(&(struct os_fsid){ .uid = USER + 1, .gid = USER }, NULL);
    struct sink *sink = sink_new(s.log, &(struct rotate_rules){ 0 }, one);
    check(sink_is_shared_with(sink, one));
    check(sink_is_shared_with(sink, other));
    check(sink_is_shared_with(sink, NULL));
    check_int(chown(s.dir, USER, USER), 0);
    check(sink_is_shared_with(sink, one));
    check(!sink_is_shared_with(sink, other));
    check(!sink_is_shared_with(sink, NULL));
    sink_free(&s.env, sink);
    scene_done(&s);
}

UNIT_MAIN()
