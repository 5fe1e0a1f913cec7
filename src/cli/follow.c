/* One watch a file and one a folder (os/filewatch.h). A watch belongs to an inode: after a rotation it goes
 * with the old file, so a file's watch is renewed each time its name appears, before the file is read: what
 * is written in between is then told or read. Where there are no watches (too many users of them, or not on
 * this system), and while a folder is gone, the files are looked at four times a second instead. */
#include "cli/follow.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "logs/target.h"
#include "os/filewatch.h"
#include "os/poll.h"

enum { LOOK_MS = 250 };

struct file {
    char *path, *target; /* its name, and where that leads (logs/target.h): new files come up there */
    const struct rights *rights;
    int wd;       /* -1: not there */
    bool touched; /* to be told; at first it is */
    bool gone;    /* its name, and the folder was looked at for that */
};
struct folder {
    char *path;
    int wd;       /* -1: not watched */
    bool doubted; /* it may be another one's, that had the name */
};

struct follow {
    int fd; /* of the watches; -1: none */
    struct file *files;
    struct folder *folders;
    size_t n_files, n_folders;
    struct map by_wd; /* files: index + 1 as a pointer */
    sigset_t waiting; /* signals blocked while we wait: all that were before, SIGINT open */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
    interrupted = 1;
}

struct follow *follow_new(void)
{
    struct follow *f = xnew(struct follow);
    f->fd = os_filewatch_new();
    return f;
}

void follow_begin(struct follow *f)
{
    /* Open only while waiting, so that a line under way is written whole. */
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, &f->waiting);
    sigdelset(&f->waiting, SIGINT);
    struct sigaction act = { .sa_handler = on_interrupt };
    sigaction(SIGINT, &act, NULL);
}

/* While there are news a poll lets no signal in. */
static bool is_interrupted(void)
{
    sigset_t pending;
    sigpending(&pending);
    return interrupted || sigismember(&pending, SIGINT) == 1;
}

static void file_done(struct file *file)
{
    free(file->path);
    free(file->target);
}

struct follow *follow_free(struct follow *f)
{
    if (!f)
        return NULL;
    fd_done(&f->fd);
    for (size_t i = 0; i < f->n_files; i++)
        file_done(&f->files[i]);
    for (size_t i = 0; i < f->n_folders; i++)
        free(f->folders[i].path);
    free(f->files);
    free(f->folders);
    map_done(&f->by_wd);
    free(f);
    return NULL;
}

static void follow_dir_of(struct follow *f, const char *path)
{
    own_text folder = path_dir(path);
    follow_folder(f, folder);
}

static void renew(struct follow *f, size_t n)
{
    struct file *file = &f->files[n];
    struct place at;
    int wd = -1;
    free(file->target);
    if (place_begin(&at, file->rights, file->path) == 0) {
        file->target = target_of(at.name);
        follow_dir_of(f, file->target);
        wd = f->fd < 0 ? -1 : os_filewatch_file(f->fd, at.name);
        place_end(&at);
    } else {
        file->target = xstrdup(file->path);
    }
    file->gone = file->gone && wd < 0;
    if (wd == file->wd)
        return;
    if (file->wd >= 0) {
        map_remove(&f->by_wd, (uint64_t)file->wd);
        os_filewatch_drop(f->fd, file->wd); /* if the old file is gone it is dropped already */
    }
    file->wd = wd;
    if (wd >= 0)
        map_put(&f->by_wd, (uint64_t)wd, (void *)(n + 1));
}

void follow_folder(struct follow *f, const char *path)
{
    for (size_t i = 0; i < f->n_folders; i++)
        if (strcmp(f->folders[i].path, path) == 0)
            return;
    f->folders = xrealloc(f->folders, (f->n_folders + 1) * sizeof(*f->folders));
    int wd = f->fd < 0 ? -1 : os_filewatch_folder(f->fd, path);
    f->folders[f->n_folders++] = (struct folder){ xstrdup(path), wd, false };
}

void follow_add(struct follow *f, const char *path, const struct rights *rights)
{
    follow_dir_of(f, path);
    f->files = xrealloc(f->files, (f->n_files + 1) * sizeof(*f->files));
    f->files[f->n_files++] =
        (struct file){ .path = xstrdup(path), .rights = rights, .wd = -1, .touched = true };
    renew(f, f->n_files - 1);
}

static void touch_all(struct follow *f)
{
    for (size_t i = 0; i < f->n_files; i++) {
        renew(f, i);
        f->files[i].touched = true;
    }
}

static bool lacks_watch(const struct follow *f)
{
    for (size_t i = 0; i < f->n_folders; i++)
        if (f->folders[i].wd < 0 || f->folders[i].doubted)
            return true;
    return false;
}

/* The same folder has the same watch: then nothing of it is missed. */
static void renew_folders(struct follow *f, const struct follow_hooks *hooks)
{
    for (size_t i = 0; i < f->n_folders && f->fd >= 0; i++) {
        struct folder *folder = &f->folders[i];
        if (folder->wd >= 0 && !folder->doubted)
            continue;
        int wd = os_filewatch_folder(f->fd, folder->path);
        if (wd < 0)
            continue;
        if (folder->wd >= 0 && folder->wd != wd)
            os_filewatch_drop(f->fd, folder->wd);
        bool is_new = folder->wd != wd;
        folder->wd = wd;
        folder->doubted = false;
        if (is_new)
            hooks->appeared(hooks->arg, folder->path); /* which may add folders */
    }
}

static void doubt_dir_of(struct follow *f, const char *path)
{
    own_text folder = path_dir(path);
    for (size_t i = 0; i < f->n_folders; i++)
        if (strcmp(f->folders[i].path, folder) == 0)
            f->folders[i].doubted = true;
}

/* A deleted folder tells nothing while one of its files is held open. */
static void look_for_name(struct follow *f, struct file *file)
{
    if (file->gone || access(file->path, F_OK) == 0)
        return;
    file->gone = true;
    doubt_dir_of(f, file->path);
    doubt_dir_of(f, file->target);
}

/* False: it is none of ours. */
static bool touch_name(struct follow *f, const char *path)
{
    for (size_t i = 0; i < f->n_files; i++)
        if (strcmp(f->files[i].path, path) == 0 || strcmp(f->files[i].target, path) == 0) {
            renew(f, i);
            f->files[i].touched = true;
            return true;
        }
    return false;
}

/* One folder may have several names, and one watch. */
static void on_name(struct follow *f, int wd, const char *name, const struct follow_hooks *hooks)
{
    own_text path = NULL;
    for (size_t i = 0; i < f->n_folders; i++) {
        if (f->folders[i].wd != wd)
            continue;
        free(path);
        path = path_join(f->folders[i].path, name);
        if (touch_name(f, path))
            return;
    }
    if (path)
        hooks->appeared(hooks->arg, path);
}

static bool doubt_folder(struct follow *f, int wd)
{
    bool found = false;
    for (size_t i = 0; i < f->n_folders; i++)
        if (f->folders[i].wd == wd)
            found = f->folders[i].doubted = true;
    return found;
}

struct reading {
    struct follow *follow;
    const struct follow_hooks *hooks;
};

/* News come in crowds; each file is told once for all it has in one. */
static void on_news(void *arg, const struct os_filewatch_news *news)
{
    const struct reading *r = arg;
    struct follow *f = r->follow;
    if (news->lost) {
        touch_all(f);
        return;
    }
    size_t n = (size_t)map_get(&f->by_wd, (uint64_t)news->watch);
    if (news->name)
        on_name(f, news->watch, news->name, r->hooks);
    else if (!doubt_folder(f, news->watch) && n)
        f->files[n - 1].touched = true;
}

static int time_left(const struct follow *f)
{
    for (size_t i = 0; i < f->n_files; i++)
        if (f->files[i].touched)
            return 0;
    return lacks_watch(f) ? LOOK_MS : -1;
}

enum follow_end follow_wait(struct follow *f, const struct follow_hooks *hooks)
{
    struct pollfd p[] = { { .fd = f->fd, .events = POLLIN },
                          { .fd = STDOUT_FILENO },
                          { .fd = hooks->fd, .events = POLLIN } };
    int r = os_poll(p, ARRAY_LEN(p), time_left(f), &f->waiting);
    if (is_interrupted())
        return FOLLOW_INTERRUPTED;
    if (r > 0 && p[1].revents)
        return FOLLOW_UNREAD;
    if (lacks_watch(f)) {
        renew_folders(f, hooks);
        touch_all(f);
    }
    if (f->fd >= 0)
        os_filewatch_read(f->fd, on_news, &(struct reading){ f, hooks });
    for (size_t i = 0; i < f->n_files; i++) {
        if (!f->files[i].touched)
            continue;
        f->files[i].touched = hooks->changed(hooks->arg, i);
        look_for_name(f, &f->files[i]);
    }
    if (r > 0 && p[2].revents) /* last: it may add files, and take its time */
        hooks->ready(hooks->arg);
    return FOLLOW_ON;
}
