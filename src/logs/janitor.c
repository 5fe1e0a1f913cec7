#include "logs/janitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/list.h"
#include "logs/gzip.h"
#include "logs/names.h"
#include "os/lowly.h"

enum { STACK = 128 << 10 };

struct job {
    struct link link;
    int fd; /* to close; -1: to compress */
    int keep;
    struct janitor_done done;
};

struct janitor {
    uv_mutex_t lock;
    struct link jobs, done;
    bool running, joinable;
    atomic_bool leave;
    uv_thread_t thread;
    void (*wake)(void *arg);
    void *arg;
};

/* The oldest goes first: it is the one nobody reads. It may move on to the next number while we look. */
static int open_oldest(const struct job *job)
{
    for (int i = job->keep; i >= 1; i--) {
        own_text name = names_archive(job->done.path, i, false);
        int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 || errno != ENOENT)
            return fd;
    }
    return -1;
}

/* As old and as readable as what it was made from. */
static void inherit(int fd, const struct stat *from)
{
    const struct timespec times[2] = { from->st_atim, from->st_mtim };
    futimens(fd, times);
    fchmod(fd, from->st_mode & 07777);
    if (fchown(fd, from->st_uid, from->st_gid) < 0) {
        /* it is ours then, and no more readable than before */
    }
}

/* False: there is none, or it failed. */
static bool compress_one(struct janitor *j, struct job *job)
{
    struct stat was, is;
    own_fd from = open_oldest(job);
    if (from < 0 || fstat(from, &was) < 0)
        return false;
    own_text part = names_part(job->done.path);
    own_fd to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (to < 0)
        return false;
    if (gzip_file(from, to, &j->leave) < 0 || fstat(to, &is) < 0) {
        unlink(part);
        return false;
    }
    inherit(to, &was);
    os_write_out(to); /* what it replaces is deleted next */
    job->done.was = was.st_ino;
    job->done.is = is.st_ino;
    return true;
}

static struct job *take(struct janitor *j)
{
    uv_mutex_lock(&j->lock);
    struct link *l = list_empty(&j->jobs) ? NULL : j->jobs.next;
    if (l)
        list_remove(l);
    else
        j->running = false; /* under the lock: who adds a job after this starts us anew */
    uv_mutex_unlock(&j->lock);
    return l ? container_of(l, struct job, link) : NULL;
}

static void finish(struct janitor *j, struct job *job)
{
    uv_mutex_lock(&j->lock);
    list_append(&j->done, &job->link);
    uv_mutex_unlock(&j->lock);
    j->wake(j->arg);
}

static void job_free(struct job *job)
{
    fd_done(&job->fd);
    free(job->done.path);
    free(job);
}

static void run(void *arg)
{
    struct janitor *j = arg;
    struct job *job;
    os_lowly();
    while ((job = take(j))) {
        if (job->fd >= 0 || j->leave) {
            job_free(job);
            continue;
        }
        job->done.failed = !compress_one(j, job);
        finish(j, job);
    }
}

static void add(struct janitor *j, struct job *take_job)
{
    uv_mutex_lock(&j->lock);
    bool start = !j->running;
    list_append(&j->jobs, &take_job->link);
    j->running = true;
    uv_mutex_unlock(&j->lock);
    if (!start)
        return;
    if (j->joinable)
        uv_thread_join(&j->thread);
    uv_thread_options_t options = { .flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK };
    j->joinable = uv_thread_create_ex(&j->thread, &options, run, j) == 0;
    if (!j->joinable)
        run(j); /* no thread to be had: then it is done here */
}

void janitor_close(struct janitor *j, int take_fd)
{
    struct job *job = xnew(struct job);
    job->fd = take_fd;
    add(j, job);
}

void janitor_compress(struct janitor *j, const char *path, int keep)
{
    struct job *job = xnew(struct job);
    job->fd = -1;
    job->keep = keep;
    job->done.path = xstrdup(path);
    add(j, job);
}

bool janitor_next(struct janitor *j, struct janitor_done *done)
{
    uv_mutex_lock(&j->lock);
    struct link *l = list_empty(&j->done) ? NULL : j->done.next;
    if (l)
        list_remove(l);
    uv_mutex_unlock(&j->lock);
    if (!l)
        return false;
    struct job *job = container_of(l, struct job, link);
    *done = job->done;
    free(job);
    return true;
}

struct janitor *janitor_new(void (*wake)(void *arg), void *arg)
{
    struct janitor *j = xnew(struct janitor);
    uv_mutex_init(&j->lock);
    list_init(&j->jobs);
    list_init(&j->done);
    j->wake = wake;
    j->arg = arg;
    return j;
}

struct janitor *janitor_free(struct janitor *j)
{
    struct janitor_done done;
    j->leave = true;
    if (j->joinable)
        uv_thread_join(&j->thread);
    while (janitor_next(j, &done))
        free(done.path);
    uv_mutex_destroy(&j->lock);
    free(j);
    return NULL;
}
