/* A log file while it is written. It is opened by name, and from then on it is a descriptor; a name is used
 * again to see whether another program has replaced the file, to rotate, to empty and to reopen it. Each of
 * these takes a place first (logs/place.h): the rights of the app's user, where others than root can change
 * the path. Owner and mode of the next file come from the descriptor of the old one, and go to a file that we
 * have made.
 *
 * The names of our own descriptors are no files: the descriptor is written, and never rotated or emptied. */
#include "logs/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "logs/target.h"

enum {
    MODE = 0640,
    LOOK_MS = 1000,    /* how often the name is looked up while the file is written */
    BLOCKS_MAX = 4096, /* what a pipe takes without blocking when it is ready (PIPE_BUF) */
    RETRY_MS = 200,    /* a file that cannot be written is tried again, if there is something to write */
};

struct sink *sink_new(const char *path, const struct rotate_rules *rules, const struct rights *rights)
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
    s->rights = rights_copy(rights);
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
static bool find_file(struct sink *s, const struct place *at)
{
    own_text target = target_of(at->name);
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
    rights_free(s->rights);
    free(s);
    return NULL;
}

static bool is_same_user(const struct rights *a, const struct rights *b)
{
    return a ? b && a->as.uid == b->as.uid : !b;
}

bool sink_is_shared_with(const struct sink *s, const struct rights *rights)
{
    if (is_same_user(s->rights, rights))
        return true;
    return (!s->rights || place_is_roots(s->rights, s->path)) && (!rights || place_is_roots(rights, s->path));
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

void sink_set_rights(struct sink *s, const struct rights *rights)
{
    rights_free(s->rights);
    s->rights = rights_copy(rights);
}

/* Opening. O_RDWR: a FIFO without a reader would block or fail otherwise, and we look at the last byte. */

enum { OPEN = O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

static int open_file(const struct place *at)
{
    return openat(at->dir, at->name, OPEN | at->open_flags, MODE);
}

static int open_or_make_folder(const struct place *at)
{
    int fd = open_file(at);
    if (fd >= 0 || errno != ENOENT || at->entered)
        return fd;
    own_text dir = path_dir(at->name);
    struct err e;
    if (path_make_dirs(dir, 0700, &e) < 0) {
        errno = e.sys ? e.sys : ENOENT;
        return -1;
    }
    return open_file(at);
}

/* Our own standard output or error. A pipe or terminal is opened once more, so that it does not block us and
 * others keep their flags; a socket cannot be, and a file has a position that all who write to it share. */
static int borrow(int fd)
{
    struct stat st;
    char name[32];
    if (fd != STDOUT_FILENO && fd != STDERR_FILENO) {
        errno = EBADF; /* the others are the daemon's, and none of an app's business */
        return -1;
    }
    if (fstat(fd, &st) < 0)
        return -1;
    snprintf(name, sizeof(name), "/dev/fd/%d", fd);
    int again = S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)
                    ? open(name, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
                    : -1;
    return again >= 0 ? again : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

/* An earlier version made it as root, in a directory of the app's user, who may not write it. That user may
 * rename it: so it becomes an archive, and a new file is made. */
static int replace_roots(struct sink *s, const struct place *at, struct rotate_trash *trash)
{
    struct stat st;
    ino_t spare;
    if (!at->entered || fstatat(at->dir, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
        st.st_uid != 0 || rotate_run(at, &s->rotate, &s->rules, trash, &spare) < 0) {
        errno = EACCES;
        return -1;
    }
    return openat(at->dir, at->name, OPEN | O_EXCL | at->open_flags, MODE);
}

/* What is behind the name by now; the name of a descriptor only where the user has no hand in it. */
static int open_by_name(struct sink *s, struct rotate_trash *trash)
{
    struct place at;
    int fd = -1;
    if (place_begin(&at, s->rights, s->path) < 0)
        return -1;
    find_file(s, &at);
    int number = target_is_borrowed(s->file) ? target_fd(s->file) : TARGET_NO_FD;
    bool by_link = number != TARGET_NO_FD && at.entered && !target_is_borrowed(s->path);
    if (by_link)
        errno = ELOOP;
    else if (number == TARGET_NO_FD && place_find(&at, s->file, true) == 0)
        fd = open_or_make_folder(&at);
    if (fd < 0 && errno == EACCES && trash)
        fd = replace_roots(s, &at, trash);
    place_end(&at);
    return number == TARGET_NO_FD || by_link ? fd : borrow(number);
}

static void take(struct sink *s, int take_fd)
{
    struct stat st = { 0 };
    bool borrowed = target_is_borrowed(s->file);
    fd_done(&s->fd);
    s->fd = take_fd;
    bool regular = fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode);
    s->plain = regular && !borrowed;
    s->device = !s->plain && !S_ISFIFO(st.st_mode);
    s->blocks = borrowed && !regular && !(fcntl(s->fd, F_GETFL) & O_NONBLOCK);
    if (regular && borrowed && target_fd(s->file) == TARGET_NO_FD)
        lseek(s->fd, 0, SEEK_END); /* /proc/PID/fd/N of another process: opened, so at its beginning */
    s->inode = st.st_ino;
    s->dev = st.st_dev;
    s->offset = s->plain ? st.st_size : -1;
    s->missing = s->unended = false;
    set_limits(s);
}

bool sink_open(struct sink_env *env, struct sink *s)
{
    int fd = open_by_name(s, &env->trash);
    if (fd < 0)
        return false;
    take(s, fd);
    return true;
}

bool sink_reopen(struct sink_env *env, struct sink *s)
{
    own_text was_file = xstrdup(s->file);
    ino_t was = s->inode;
    int fd = open_by_name(s, NULL);
    if (fd < 0)
        return false;
    take(s, fd);
    if (strcmp(s->file, was_file) != 0 || s->inode != was)
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
    struct place at;
    s->looked_at = env->now_ms;
    if (place_begin(&at, s->rights, s->path) < 0)
        return;
    int r = stat(at.name, &st);
    place_end(&at);
    if (r == 0) {
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
    return (struct marks_of){ s->file, s->inode, &s->marks, s->rights, s->path };
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
    if (s->fd >= 0 || sink_open(env, s))
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

/* The new file belongs to whom the old one did; it is no program that others run with its rights. */
static void inherit(int fd, const struct stat *old)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return;
    if ((st.st_uid != old->st_uid || st.st_gid != old->st_gid) && fchown(fd, old->st_uid, old->st_gid) < 0)
        return;
    if ((st.st_mode & 07777) != (old->st_mode & 0777))
        fchmod(fd, old->st_mode & 0777);
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
static bool is_replaced(const struct sink *s, const struct place *at)
{
    struct stat st;
    return stat(at->name, &st) == 0 && (st.st_ino != s->inode || st.st_dev != s->dev);
}

/* The owner and mode are those of the file we hold, and go to a file that we have made: who is quicker than
 * we are to put another one there, or a link, gets neither. */
static int make_next(const struct place *at, const struct stat *old)
{
    int fd = openat(at->dir, at->name, OPEN | O_EXCL | O_NOFOLLOW, MODE);
    if (fd < 0)
        return errno == EEXIST ? open_file(at) : -1;
    inherit(fd, old);
    return fd;
}

/* In its place, with the rights for that. */
static bool rotate_there(struct sink_env *env, struct sink *s, struct place *at)
{
    struct stat old;
    ino_t spare;
    if (place_find(at, s->file, false) < 0 || fstat(s->fd, &old) < 0 ||
        rotate_run(at, &s->rotate, &s->rules, &env->trash, &spare) < 0)
        return no_rotation(env, s, errno);
    int fd = make_next(at, &old);
    if (fd < 0) { /* no descriptor is left, or no room for a name: we still have the old file */
        int why = errno;
        rotate_undo(at, &s->rotate);
        return no_rotation(env, s, why);
    }
    fault_point("rotate.reopened");
    marks_leave(env->marks, &s->marks);
    take(s, fd);
    if (spare)
        marks_reuse(at, spare, s->inode);
    return true;
}

bool sink_rotate(struct sink_env *env, struct sink *s)
{
    struct place at;
    if (place_begin(&at, s->rights, s->path) < 0)
        return no_rotation(env, s, errno);
    bool replaced = is_replaced(s, &at), done = false;
    if (!replaced) {
        find_file(s, &at); /* the same file, and maybe another place */
        done = rotate_there(env, s, &at);
    }
    place_end(&at);
    if (done)
        env->rotated(env->arg, s);
    if (!replaced)
        return done;
    if (!sink_reopen(env, s))
        return no_rotation(env, s, errno);
    note(env, s, SINK_NOTE_REPLACED, 0);
    return true;
}

bool sink_is_ready(const struct sink *s)
{
    struct pollfd p = { .fd = s->fd, .events = POLLOUT };
    if (!s->blocks || poll(&p, 1, 0) > 0)
        return true;
    errno = EAGAIN;
    return false;
}

int64_t sink_room(struct sink_env *env, struct sink *s, bool *at_line)
{
    *at_line = false;
    if (s->plain && s->offset >= s->full_at && (sink_ends_line(s) || s->offset >= s->cut_at))
        sink_rotate(env, s); /* what has the name then need not be a plain file */
    if (!s->plain)
        return s->blocks ? BLOCKS_MAX : INT64_MAX;
    if (s->offset < s->full_at)
        return s->full_at - s->offset;
    *at_line = true;
    return s->cut_at - s->offset;
}

int64_t sink_flush(struct sink_env *env, struct sink *s)
{
    struct stat st;
    struct place at;
    int64_t freed = 0;
    if (s->fd >= 0 && s->device)
        return 0;
    if (!target_is_borrowed(s->file) && place_enter(&at, s->rights, s->path, s->file) == 0) {
        freed = rotate_delete_all(&at, &s->rotate, &env->trash);
        place_end(&at);
    }
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
