#include "logs/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "logs/target.h"

enum {
    MODE = 0640,
    LOOK_MS = 1000, /* how often the name is looked up while the file is written */
    RETRY_MS = 200, /* a file that cannot be written is tried again, if there is something to write */
};

struct sink *sink_new(const char *path, const struct rotate_rules *rules)
{
    size_t n = strlen(path) + 1;
    struct sink *s = xcalloc(1, sizeof(*s) + n);
    memcpy(s->path, path, n);
    s->file = s->path;
    s->fd = -1;
    s->refs = 1;
    s->rotate.count = -1;
    s->marks.n = -1;
    s->rules = *rules;
    list_init(&s->link);
    list_init(&s->waiting);
    return s;
}

/* Most are no links, and have no second text. */
static void set_file(struct sink *s, const char *file)
{
    if (s->file != s->path)
        free(s->file);
    s->file = strcmp(file, s->path) == 0 ? s->path : xstrdup(file);
}

/* Its name may be a link, and lead elsewhere by now. True: it does. */
static bool find_file(struct sink *s)
{
    own_text target = target_of(s->path);
    if (strcmp(target, s->file) == 0)
        return false;
    set_file(s, target);
    s->rotate.count = -1;
    return true;
}

struct sink *sink_free(struct sink_env *env, struct sink *s)
{
    marks_leave(env->marks, &s->marks);
    list_remove(&s->link);
    fd_done(&s->fd);
    set_file(s, s->path);
    free(s);
    return NULL;
}

/* A line that began before the file was full ends before cut_at, unless it is longer than a file may be. */
static void set_limits(struct sink *s)
{
    int64_t max = s->rules.max;
    bool never = max <= 0 || !s->plain;
    s->full_at = never ? INT64_MAX : max;
    s->cut_at = never ? INT64_MAX : MAX(s->offset, max) + max;
}

void sink_set_rules(struct sink *s, const struct rotate_rules *rules)
{
    if (rules->keep != s->rules.keep)
        s->rotate.count = -1;
    s->rules = *rules;
    set_limits(s);
}

/* Opening. O_RDWR: a FIFO without a reader would block or fail otherwise, and we look at the last byte. */

static int open_file(const char *path)
{
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, MODE);
}

static int open_or_make_folder(const char *path)
{
    int fd = open_file(path);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    own_text dir = path_dir(path);
    struct err e;
    if (path_make_dirs(dir, 0700, &e) < 0) {
        errno = e.sys ? e.sys : ENOENT;
        return -1;
    }
    return open_file(path);
}

static void take(struct sink *s, int take_fd)
{
    struct stat st = { 0 };
    fd_done(&s->fd);
    s->fd = take_fd;
    s->plain = fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode);
    s->inode = st.st_ino;
    s->dev = st.st_dev;
    s->offset = s->plain ? st.st_size : -1;
    s->missing = s->unended = false;
    set_limits(s);
}

bool sink_open(struct sink *s)
{
    find_file(s);
    int fd = open_or_make_folder(s->file);
    if (fd < 0)
        return false;
    take(s, fd);
    return true;
}

bool sink_reopen(struct sink_env *env, struct sink *s)
{
    bool moved = find_file(s);
    ino_t was = s->inode;
    int fd = open_or_make_folder(s->file);
    if (fd < 0)
        return false;
    take(s, fd);
    if (moved || s->inode != was)
        marks_leave(env->marks, &s->marks);
    s->rotate.count = -1;
    return true;
}

/* What others do to it. */

static void note(struct sink_env *env, struct sink *s, enum sink_note what, int error)
{
    if (s->said & 1u << what)
        return;
    s->said = (uint8_t)(s->said | 1u << what);
    env->note(env->arg, s, what, error);
}

static void go_on_in_new(struct sink_env *env, struct sink *s, enum sink_note what)
{
    if (sink_reopen(env, s))
        note(env, s, what, 0);
}

/* Somebody's rename is followed by his own new file (logrotate's create): it has a second to come. */
static void look_at_name(struct sink_env *env, struct sink *s)
{
    struct stat st;
    s->looked_at = env->now_ms;
    if (stat(s->path, &st) == 0) {
        s->missing = false;
        if (st.st_ino != s->inode || st.st_dev != s->dev)
            go_on_in_new(env, s, SINK_NOTE_REPLACED);
    } else if (errno == ENOENT && s->missing) {
        go_on_in_new(env, s, SINK_NOTE_REPLACED);
    } else {
        s->missing = errno == ENOENT;
    }
}

static struct marks_of marks_of(struct sink *s)
{
    return (struct marks_of){ s->file, s->inode, &s->marks };
}

void sink_look(struct sink_env *env, struct sink *s)
{
    struct stat st;
    if (!s->plain || s->fd < 0 || fstat(s->fd, &st) < 0)
        return;
    if (st.st_nlink == 0) { /* what we write would be seen by nobody */
        go_on_in_new(env, s, SINK_NOTE_DELETED);
        return;
    }
    if (st.st_size < s->offset) {
        marks_empty(env->marks, marks_of(s));
        note(env, s, SINK_NOTE_TRUNCATED, 0);
        s->unended = s->unended && st.st_size > 0;
    }
    if (st.st_size != s->offset) { /* or somebody has appended to it */
        s->offset = st.st_size;
        set_limits(s);
    }
    if (env->now_ms - s->looked_at >= LOOK_MS)
        look_at_name(env, s);
}

/* Trouble. */

bool sink_usable(struct sink_env *env, struct sink *s)
{
    if (s->error && env->now_ms < s->retry_at)
        return false;
    if (s->fd >= 0 || sink_open(s))
        return true;
    sink_failed(env, s, errno);
    return false;
}

void sink_failed(struct sink_env *env, struct sink *s, int error)
{
    s->error = (int16_t)error;
    s->retry_at = env->now_ms + RETRY_MS;
}

/* Rotation. */

bool sink_ends_line(const struct sink *s)
{
    char last = '\n';
    return s->offset <= 0 || pread(s->fd, &last, 1, (off_t)s->offset - 1) != 1 || last == '\n';
}

/* The new file belongs to whom the old one did. */
static void inherit(int fd, const struct stat *old)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return;
    if ((st.st_uid != old->st_uid || st.st_gid != old->st_gid) && fchown(fd, old->st_uid, old->st_gid) < 0)
        return;
    if (st.st_mode != old->st_mode)
        fchmod(fd, old->st_mode & 07777);
}

static bool no_rotation(struct sink_env *env, struct sink *s, int error)
{
    s->full_at = s->offset + s->rules.max; /* then it is tried again */
    s->cut_at = s->full_at + s->rules.max;
    note(env, s, SINK_NOTE_NO_ROTATION, error);
    return false;
}

/* The name leads elsewhere: what is full is not what would be moved. It may lead to a file that others move
 * as well. */
static bool is_replaced(const struct sink *s)
{
    struct stat st;
    return stat(s->path, &st) == 0 && (st.st_ino != s->inode || st.st_dev != s->dev);
}

bool sink_rotate(struct sink_env *env, struct sink *s)
{
    struct stat old;
    ino_t spare;
    if (is_replaced(s)) {
        if (!sink_reopen(env, s))
            return no_rotation(env, s, errno);
        note(env, s, SINK_NOTE_REPLACED, 0);
        return true;
    }
    find_file(s); /* the same file, and maybe another place */
    if (fstat(s->fd, &old) < 0 || rotate_run(s->file, &s->rotate, &s->rules, &env->trash, &spare) < 0)
        return no_rotation(env, s, errno);
    int fd = open_file(s->file);
    if (fd < 0) { /* no descriptor is left, or no room for a name: we still have the old file */
        int why = errno;
        rotate_undo(s->file, &s->rotate);
        return no_rotation(env, s, why);
    }
    fault_point("rotate.reopened");
    marks_leave(env->marks, &s->marks);
    inherit(fd, &old);
    take(s, fd);
    if (spare)
        marks_reuse(s->file, spare, s->inode);
    env->rotated(env->arg, s);
    return true;
}

int64_t sink_room(struct sink_env *env, struct sink *s, bool *at_line)
{
    *at_line = false;
    if (!s->plain)
        return INT64_MAX;
    if (s->offset < s->full_at)
        return s->full_at - s->offset;
    if (sink_ends_line(s) || s->offset >= s->cut_at)
        sink_rotate(env, s);
    if (s->offset < s->full_at)
        return s->full_at - s->offset;
    *at_line = true;
    return s->cut_at - s->offset;
}

int64_t sink_flush(struct sink_env *env, struct sink *s)
{
    struct stat st;
    int64_t freed = rotate_delete_all(s->file, &s->rotate, &env->trash);
    if (s->fd < 0 || !s->plain || fstat(s->fd, &st) < 0)
        return freed;
    if (ftruncate(s->fd, 0) == 0) {
        freed += st.st_size;
        s->offset = 0;
        s->unended = false;
        set_limits(s);
        marks_empty(env->marks, marks_of(s));
    }
    return freed;
}

void sink_mark(struct sink_env *env, struct sink *s)
{
    if (s->plain)
        marks_note(env->marks, marks_of(s), (struct mark){ env->now_us, s->offset });
}
