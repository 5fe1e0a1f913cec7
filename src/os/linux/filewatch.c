#include "os/filewatch.h"

#include <sys/inotify.h>
#include <unistd.h>

enum {
    OF_FILE = IN_MODIFY | IN_ATTRIB, /* IN_ATTRIB: also a truncation by name, and the last link going */
    OF_FOLDER =
        IN_CREATE | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR, /* IN_IGNORED when it goes comes unasked */
};

int os_filewatch_new(void)
{
    return inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
}

int os_filewatch_file(int fd, const char *path)
{
    return inotify_add_watch(fd, path, OF_FILE);
}

int os_filewatch_folder(int fd, const char *path)
{
    return inotify_add_watch(fd, path, OF_FOLDER);
}

void os_filewatch_drop(int fd, int watch)
{
    inotify_rm_watch(fd, watch);
}

void os_filewatch_read(int fd, os_filewatch_told *told, void *arg)
{
    char crowd[16 << 10] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n;
    while ((n = read(fd, crowd, sizeof(crowd))) > 0)
        for (char *p = crowd; p < crowd + n;) {
            const struct inotify_event *ev = (void *)p;
            struct os_filewatch_news news = { ev->wd, ev->len ? ev->name : NULL,
                                              (ev->mask & IN_Q_OVERFLOW) != 0 };
            p += sizeof(*ev) + ev->len;
            told(arg, &news);
        }
}
