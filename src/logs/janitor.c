#include "logs/janitor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/file.h"
#include "base/list.h"
#include "logs/gzip.h"
#include "logs/names.h"
#include "os/filetime.h"
#include "os/lowly.h"

enum {
    STACK = 128 << 10,
    CLOSES_MOST = 16, /* files that wait to be closed: they hold disk space */
    LINGER_MS = 1000, /* a quick log's next rotation comes within that: it need not start a thread */
};

struct job {
    struct link link;
    int fd;     /* to close; -1: to compress */
    char *path; /* of a log, whose archive is to be compressed ... */
    char *name; /* ... and by which it was found, for these: */
    struct rights *rights;
};

struct janitor {
    uv_mutex_t lock;
    uv_cond_t placed, wanted;
    struct link jobs;
    int closes;               /* of them */
    struct janitor_done done; /* path NULL: nothing */
    bool running, joinable;
    bool deferred; /* its beginning is */
    atomic_bool leave;
    uv_thread_t thread;
    void (*wake)(void *arg);
    void *arg;
};

/* The number of the oldest archive that is not compressed, of those below; 0: none. */
static int find_oldest(const struct place *at, int below)
{
    own_text folder = path_dir(at->name);
    int oldest = 0;
    own_fd fd = openat(at->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return 0;
    (void)steal_fd(fd); /* the DIR has it */
    for (const struct dirent *entry; (entry = readdir(d));) {
        struct names_found f = names_parse(path_base(at->name), entry->d_name);
        if (f.kind == NAMES_ARCHIVE && !f.gz && f.number < below)
            oldest = MAX(oldest, f.number);
    }
    closedir(d);
    return oldest;
}

/* It may move on to the next number while we look. */
static int open_archive(const struct place *at, int number)
{
    struct stat st;
    for (int i = number; i < number + 8; i++) {
        own_text name = names_archive(at->name, i, false);
        own_fd fd = openat(at->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
            return steal_fd(fd);
        if (fd >= 0 || errno != ENOENT)
            return -1;
    }
    return -1;
}

/* The oldest goes first: it is the one nobody reads. One that cannot be opened, or is no file (the log was a
 * symbolic link), does not keep the others from it. */
static int open_oldest(const struct place *at)
{
    int fd = -1;
    for (int i = find_oldest(at, INT_MAX); fd < 0 && i > 0; i = find_oldest(at, i))
        fd = open_archive(at, i);
    return fd;
}

/* As old and as readable as what it was made from; never more than that, whatever stood under the name. */
static void inherit(int fd, const struct stat *from)
{
    os_filetime_copy(fd, from);
    fchmod(fd, from->st_mode & 0777);
    if (fchown(fd, from->st_uid, from->st_gid) < 0) {
        /* it is ours then, and no more readable than before */
    }
}

static int make_part(const struct place *at)
{
    own_text part = names_part(at->name);
    unlinkat(at->dir, part, 0);
    return openat(at->dir, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static void drop_part(const struct job *job)
{
    struct place at;
    if (place_enter(&at, job->rights, job->name, job->path) < 0)
        return;
    own_text part = names_part(at.name);
    unlinkat(at.dir, part, 0);
    place_end(&at);
}

/* Both files; what is between them needs no rights. */
static bool open_both(const struct job *job, int *from, int *to)
{
    struct place at;
    if (place_enter(&at, job->rights, job->name, job->path) < 0)
        return false;
    *from = open_oldest(&at);
    *to = *from < 0 ? -1 : make_part(&at);
    place_end(&at);
    return *to >= 0;
}

static int inherit_as(const struct job *job, int to, const struct stat *was)
{
    struct place at;
    if (place_enter(&at, job->rights, job->name, job->path) < 0)
        return -1;
    inherit(to, was);
    place_end(&at);
    return 0;
}

/* The archive, compressed into names_part(); -1: there is none, or it failed. */
static int compress_one(struct janitor *j, const struct job *job, ino_t *inode)
{
    struct stat was, is;
    own_fd from = -1;
    own_fd to = -1;
    if (!open_both(job, &from, &to))
        return -1;
    if (fstat(from, &was) < 0 || gzip_file(from, to, &j->leave) < 0 || fstat(to, &is) < 0 ||
        inherit_as(job, to, &was) < 0) {
        drop_part(job);
        return -1;
    }
    os_write_out(to); /* what it replaces is deleted next */
    *inode = is.st_ino;
    return steal_fd(from);
}

static void job_free(struct job *job)
{
    fd_done(&job->fd);
    rights_free(job->rights);
    free(job->path);
    free(job->name);
    free(job);
}

static struct job *take(struct janitor *j)
{
    struct link *l = list_empty(&j->jobs) ? NULL : j->jobs.next;
    if (!l)
        return NULL;
    list_remove(l);
    struct job *job = container_of(l, struct job, link);
    j->closes -= job->fd >= 0;
    return job;
}

/* NULL: the thread is to end. */
static struct job *await(struct janitor *j)
{
    uv_mutex_lock(&j->lock);
    while (list_empty(&j->jobs) && !j->leave &&
           uv_cond_timedwait(&j->wanted, &j->lock, (uint64_t)LINGER_MS * 1000000) == 0) {
    }
    struct job *job = take(j);
    if (!job)
        j->running = false; /* under the lock: who adds a job after this starts us anew */
    uv_mutex_unlock(&j->lock);
    return job;
}

static void hand_over(struct janitor *j, const struct janitor_done *done)
{
    uv_mutex_lock(&j->lock);
    j->done = *done;
    j->wake(j->arg);
    while (j->done.path && !j->leave)
        uv_cond_wait(&j->placed, &j->lock);
    uv_mutex_unlock(&j->lock);
}

static void run(void *arg)
{
    struct janitor *j = arg;
    struct job *job;
    os_lowly();
    while ((job = await(j))) {
        fd_done(&job->fd);
        if (job->path && !j->leave) {
            struct janitor_done done = { .fd = -1 };
            done.fd = compress_one(j, job, &done.is);
            done.failed = done.fd < 0;
            done.path = steal(job->path);
            done.name = steal(job->name);
            done.rights = steal(job->rights);
            hand_over(j, &done);
        }
        job_free(job);
    }
}

static void start(struct janitor *j)
{
    if (j->joinable)
        uv_thread_join(&j->thread);
    uv_thread_options_t options = { .flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK };
    j->joinable = uv_thread_create_ex(&j->thread, &options, run, j) == 0;
    if (!j->joinable)
        j->running = false;
}

/* Without a thread it waits for the next job's. One that is begun while we have another's rights would keep
 * them: it is begun with the next janitor_is_done(). */
static void add(struct janitor *j, struct job what)
{
    struct job *job = xnew(struct job);
    *job = what;
    uv_mutex_lock(&j->lock);
    list_append(&j->jobs, &job->link);
    j->closes += what.fd >= 0;
    j->deferred = !j->running && place_is_entered();
    bool begin = !j->running && !j->deferred;
    j->running |= begin;
    uv_cond_signal(&j->wanted);
    uv_mutex_unlock(&j->lock);
    if (begin)
        start(j);
}

void janitor_close(struct janitor *j, int take_fd)
{
    uv_mutex_lock(&j->lock);
    bool too_many = j->closes >= CLOSES_MOST;
    uv_mutex_unlock(&j->lock);
    if (too_many) /* deleted faster than it gives room back: whoever deletes waits for it himself */
        close(take_fd);
    else
        add(j, (struct job){ .fd = take_fd });
}

void janitor_compress(struct janitor *j, const char *path, const char *name, const struct rights *rights)
{
    add(j, (struct job){
               .fd = -1, .path = xstrdup(path), .name = xstrdup(name), .rights = rights_copy(rights) });
}

bool janitor_is_done(struct janitor *j, struct janitor_done *done)
{
    uv_mutex_lock(&j->lock);
    *done = j->done;
    bool begin = j->deferred && !j->running;
    j->deferred = false;
    j->running |= begin;
    uv_mutex_unlock(&j->lock);
    if (begin)
        start(j);
    return done->path;
}

static void done_free(struct janitor_done *done)
{
    text_free(&done->path);
    text_free(&done->name);
    rights_free(done->rights);
    done->rights = NULL;
    fd_done(&done->fd);
}

void janitor_placed(struct janitor *j)
{
    uv_mutex_lock(&j->lock);
    done_free(&j->done);
    uv_cond_signal(&j->placed);
    uv_mutex_unlock(&j->lock);
}

struct janitor *janitor_new(void (*wake)(void *arg), void *arg)
{
    struct janitor *j = xnew(struct janitor);
    uv_mutex_init(&j->lock);
    uv_cond_init(&j->placed);
    uv_cond_init(&j->wanted);
    list_init(&j->jobs);
    j->done.fd = -1;
    j->wake = wake;
    j->arg = arg;
    return j;
}

struct janitor *janitor_free(struct janitor *j)
{
    uv_mutex_lock(&j->lock);
    j->leave = true;
    uv_cond_signal(&j->placed);
    uv_cond_signal(&j->wanted);
    uv_mutex_unlock(&j->lock);
    if (j->joinable)
        uv_thread_join(&j->thread);
    for (struct job *job; (job = take(j));)
        job_free(job);
    done_free(&j->done);
    uv_cond_destroy(&j->placed);
    uv_cond_destroy(&j->wanted);
    uv_mutex_destroy(&j->lock);
    free(j);
    return NULL;
}
