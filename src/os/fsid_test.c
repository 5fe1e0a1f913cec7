#include "os/fsid.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"

enum { OTHER = 54321, GROUP = 54322, THIRD = 54323 };

static char dir[] = "/tmp/velos-fsid-XXXXXX";
static char *secret; /* root's, 0600 */

static void remove_all(void)
{
    unlink(secret);
    rmdir(dir);
    free(secret);
}

static void make_secret(void)
{
    if (secret)
        return;
    check(mkdtemp(dir));
    check_int(chmod(dir, 0777), 0);
    secret = path_join(dir, "secret");
    own_fd fd = open(secret, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    check(fd >= 0);
    atexit(remove_all);
}

static int open_errno(const char *path)
{
    own_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? 0 : errno;
}

static void *open_in_thread(void *arg)
{
    *(int *)arg = open_errno(secret);
    return NULL;
}

struct meeting {
    pthread_barrier_t entered, opened;
    int other;
};

/* A thread that was there before the other one entered. */
static void *meet(void *arg)
{
    struct meeting *m = arg;
    pthread_barrier_wait(&m->entered);
    m->other = open_errno(secret);
    pthread_barrier_wait(&m->opened);
    return NULL;
}

static const struct os_fsid other = {
    .uid = OTHER, .gid = GROUP, .groups = (gid_t[]){ THIRD }, .n_groups = 1
};

TEST(takes_and_gives_back)
{
    struct err e;
    if (geteuid() != 0)
        skip();
    make_secret();
    int groups = getgroups(0, NULL), dumpable = prctl(PR_GET_DUMPABLE);
    check_int(os_fsid_enter(&other, &e), 0);
    check_int(open_errno(secret), EACCES);
    check_int(chown(secret, OTHER, GROUP), -1);
    check_int(errno, EPERM);
    check_int(geteuid(), 0);
    check_int(prctl(PR_GET_DUMPABLE), 0);
    errno = EXDEV;
    os_fsid_leave();
    check_int(errno, EXDEV);
    check_int(open_errno(secret), 0);
    check_int(getgroups(0, NULL), groups);
    check_int(prctl(PR_GET_DUMPABLE), dumpable);
}

TEST(makes_files_of_its_user)
{
    struct stat st;
    struct err e;
    if (geteuid() != 0)
        skip();
    make_secret();
    own_text path = path_join(dir, "made");
    check_int(os_fsid_enter(&other, &e), 0);
    own_fd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    os_fsid_leave();
    check(fd >= 0);
    check_int(fstat(fd, &st), 0);
    unlink(path);
    check_int(st.st_uid, OTHER);
    check_int(st.st_gid, GROUP);
}

TEST(takes_supplementary_groups)
{
    struct err e;
    if (geteuid() != 0)
        skip();
    make_secret();
    check_int(chown(secret, 0, THIRD), 0);
    check_int(chmod(secret, 0640), 0);
    check_int(os_fsid_enter(&other, &e), 0);
    check_int(open_errno(secret), 0);
    os_fsid_leave();
    check_int(chmod(secret, 0600), 0);
}

TEST(of_one_thread)
{
    struct meeting m = { .other = -1 };
    struct err e;
    pthread_t thread;
    if (geteuid() != 0)
        skip();
    make_secret();
    pthread_barrier_init(&m.entered, NULL, 2);
    pthread_barrier_init(&m.opened, NULL, 2);
    check_int(pthread_create(&thread, NULL, meet, &m), 0);
    check_int(os_fsid_enter(&other, &e), 0);
    pthread_barrier_wait(&m.entered);
    int mine = open_errno(secret);
    pthread_barrier_wait(&m.opened);
    os_fsid_leave();
    pthread_join(thread, NULL);
    check_int(mine, EACCES);
    check_int(m.other, 0);
    int later = -1;
    check_int(pthread_create(&thread, NULL, open_in_thread, &later), 0);
    pthread_join(thread, NULL);
    check_int(later, 0);
}

TEST(its_own_is_free)
{
    struct os_fsid own = { .uid = geteuid(), .gid = getegid() };
    struct err e;
    int dumpable = prctl(PR_GET_DUMPABLE);
    check_int(os_fsid_enter(&own, &e), 0);
    check_int(os_fsid_enter(&own, &e), 0); /* nothing was entered: so it may be called again */
    check_int(prctl(PR_GET_DUMPABLE), dumpable);
    os_fsid_leave();
    os_fsid_leave();
    if (geteuid() != 0) { /* a plain user has nothing to give up */
        check_int(os_fsid_enter(&other, &e), 0);
        os_fsid_leave();
    }
}

UNIT_MAIN()
