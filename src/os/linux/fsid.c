/* Credentials belong to a thread in the kernel. glibc's setgroups(2) sends them to all threads of the
 * process, so the system calls are made directly.
 *
 * setfsuid(2) from 0 to another user also takes from the thread's effective set what would override file
 * permissions (CAP_CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, LINUX_IMMUTABLE, MAC_OVERRIDE,
 * MKNOD), unless SECBIT_NO_SETUID_FIXUP is set: then there is no identity to take. What stays:
 * CAP_SYS_PTRACE, so the links of /proc/PID/fd can still be followed (openat2(2) with RESOLVE_NO_MAGICLINKS
 * does not), and CAP_SYS_RESOURCE (a disk's reserved blocks). euid and uid stay 0, so the user cannot trace
 * or signal us.
 *
 * Each change also makes the whole process undumpable (its mm, not the thread) and resets the parent death
 * signal of the thread. An undumpable process of root without CAP_SYS_PTRACE cannot be looked at in /proc by
 * its own kind (the keeper), so that is undone. While a thread is entered it has to stay: a core would be
 * written as the thread's user, and a core has the secrets of all apps. */
#include "os/fsid.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"

#ifdef SYS_setfsuid32 /* where the plain ones take 16 bits */
enum { FSUID = SYS_setfsuid32, FSGID = SYS_setfsgid32, GROUPS = SYS_setgroups32 };
#else
enum { FSUID = SYS_setfsuid, FSGID = SYS_setfsgid, GROUPS = SYS_setgroups };
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int entered_threads, dumpable; /* under the lock; as it was before the first of them */
static gid_t *own_groups;             /* under the lock; those of the process, which do not change */
static int n_own_groups = -1;
static _Thread_local bool entered;

/* Both answer with the previous value, whether they work or not; -1 is no id, so it only reads. */
static bool set_fs_ids(uid_t uid, gid_t gid)
{
    syscall(FSGID, gid);
    syscall(FSUID, uid);
    return (gid_t)syscall(FSGID, (gid_t)-1) == gid && (uid_t)syscall(FSUID, (uid_t)-1) == uid;
}

static bool set_own(void)
{
    return set_fs_ids(geteuid(), getegid()) && syscall(GROUPS, (size_t)n_own_groups, own_groups) == 0;
}

static int know_own_groups(void)
{
    if (n_own_groups >= 0)
        return 0;
    int n = getgroups(0, NULL);
    if (n < 0)
        return -1;
    own_groups = xcalloc((size_t)n + 1, sizeof(gid_t));
    n_own_groups = getgroups(n, own_groups);
    return n_own_groups < 0 ? -1 : 0;
}

static int enter(const struct os_fsid *id, struct err *e)
{
    if (know_own_groups() < 0)
        return err_sys(e, "read the groups of the process");
    if (prctl(PR_GET_SECUREBITS) & SECBIT_NO_SETUID_FIXUP) {
        errno = ENOTSUP;
        return err_sys(e, "files cannot be handled as uid %d while the secure bit no-setuid-fixup is set",
                       (int)id->uid);
    }
    if (syscall(GROUPS, (size_t)id->n_groups, id->groups) < 0)
        return err_sys(e, "take the groups of uid %d for file access", (int)id->uid);
    if (set_fs_ids(id->uid, id->gid))
        return 0;
    if (!set_own())
        abort();
    errno = EPERM;
    return err_sys(e, "take uid %d, gid %d for file access", (int)id->uid, (int)id->gid);
}

int os_fsid_enter(const struct os_fsid *id, struct err *e)
{
    if (geteuid() != 0 || id->uid == 0)
        return 0;
    if (entered)
        abort();
    pthread_mutex_lock(&lock);
    if (entered_threads == 0)
        dumpable = prctl(PR_GET_DUMPABLE);
    int r = enter(id, e);
    if (r == 0)
        entered_threads++;
    if (entered_threads == 0 && dumpable == 1)
        prctl(PR_SET_DUMPABLE, 1);
    pthread_mutex_unlock(&lock);
    entered = r == 0;
    return r;
}

void os_fsid_leave(void)
{
    int saved = errno;
    if (!entered)
        return;
    pthread_mutex_lock(&lock);
    if (!set_own())
        abort();
    if (--entered_threads == 0 && dumpable == 1)
        prctl(PR_SET_DUMPABLE, 1);
    pthread_mutex_unlock(&lock);
    entered = false;
    errno = saved;
}

/* seccomp filters older than openat2(2) answer EPERM. */
int os_fsid_open_dir(const char *path)
{
    struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    return fd < 0 && (errno == ENOSYS || errno == EPERM) ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : fd;
}

bool os_fsid_is_made_up(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) < 0 || fs.f_type == FUSE_SUPER_MAGIC;
}
