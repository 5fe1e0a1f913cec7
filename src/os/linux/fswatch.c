#include "os/fswatch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    ASKED = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM |
            IN_ONLYDIR | IN_EXCL_UNLINK,
    READS_MOST = 64, /* at a time: somebody may write faster than we read */
};

int os_fswatch_new(void)
{
    return inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
}

int os_fswatch_add(int fd, const char *folder)
{
    return inotify_add_watch(fd, folder, ASKED);
}

void os_fswatch_drop(int fd, int watch)
{
    inotify_rm_watch(fd, watch);
}

static unsigned meaning(uint32_t mask)
{
    static const struct {
        uint32_t mask;
        unsigned what;
    } words[] = {
        { IN_MODIFY, OS_FSWATCH_CHANGED },
        { IN_CLOSE_WRITE | IN_ATTRIB, OS_FSWATCH_CLOSED },
        { IN_CREATE | IN_MOVED_TO, OS_FSWATCH_CAME },
        { IN_DELETE | IN_MOVED_FROM, OS_FSWATCH_WENT },
        { IN_ISDIR, OS_FSWATCH_FOLDER },
        { IN_IGNORED, OS_FSWATCH_GONE },
        { IN_Q_OVERFLOW, OS_FSWATCH_LOST },
    };
    unsigned what = 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (mask & words[i].mask)
            what |= words[i].what;
    return what;
}

void os_fswatch_read(int fd, os_fswatch_told *told, void *arg)
{
    char crowd[16 << 10] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n;
    for (int i = 0; i < READS_MOST && (n = read(fd, crowd, sizeof(crowd))) > 0; i++)
        for (char *p = crowd; p < crowd + n;) {
            const struct inotify_event *ev = (void *)p;
            struct os_fswatch_news news = { ev->wd, meaning(ev->mask), ev->len ? ev->name : NULL };
            p += sizeof(*ev) + ev->len;
            told(arg, &news);
        }
}

static long read_limit(const char *name)
{
    char path[64];
    long n = -1;
    snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", name);
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%ld", &n) != 1)
        n = -1;
    if (f)
        fclose(f);
    return n;
}

const char *os_fswatch_limit(int error, char out[OS_FSWATCH_LIMIT])
{
    const char *name = error == ENOSPC ? "max_user_watches" : "max_user_instances";
    long now = read_limit(name);
    if (error != ENOSPC && error != EMFILE)
        snprintf(out, OS_FSWATCH_LIMIT, "%s", strerror(error));
    else
        snprintf(out, OS_FSWATCH_LIMIT, "fs.inotify.%s is %ld; as root: sysctl -w fs.inotify.%s=%ld", name,
                 now, name, error == ENOSPC ? 524288L : 1024L);
    return out;
}

/* The numbers of statfs(2), which <linux/magic.h> does not all have. */
bool os_fswatch_is_remote(const char *path)
{
    static const unsigned long remote[] = {
        0x6969 /* nfs */,      0xff534d42 /* cifs */, 0xfe534d42 /* smb2 */,  0x517b /* smb */,
        0x01021997 /* 9p */,   0x65735546 /* fuse */, 0x00c36400 /* ceph */,  0x5346414f /* afs */,
        0x786f4256 /* vbox */, 0x01161970 /* gfs2 */, 0x7461636f /* ocfs2 */, 0x0bd00bd0 /* lustre */,
    };
    struct statfs fs;
    if (statfs(path, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof(remote) / sizeof(*remote); i++)
        if (((unsigned long)fs.f_type & 0xffffffffUL) == remote[i])
            return true;
    return false;
}

bool os_fswatch_is_absurd(const char *path)
{
    static const char *const folders[] = { "/proc", "/sys", "/dev" };
    if (strcmp(path, "/") == 0)
        return true;
    if (strncmp(path, "/dev/shm/", 9) == 0)
        return false; /* memory that is used as a folder */
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        size_t n = strlen(folders[i]);
        if (strncmp(path, folders[i], n) == 0 && (!path[n] || path[n] == '/'))
            return true;
    }
    return false;
}
