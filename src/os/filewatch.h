/* src/os/filewatch.h: tells that files were written to, and which names appeared in folders. A watch belongs
 * to the file that has the name now, not to the name. */
#pragma once
#include <stdbool.h>

/* A descriptor, readable when there is something to tell, close-on-exec; -1: refused, or not on this system.
 */
int os_filewatch_new(void);

/* The watch's number (the same for the same file), or -1: not there. */
int os_filewatch_file(int fd, const char *path); /* also a truncation, and its last name going */
int os_filewatch_folder(int fd, const char *path);
void os_filewatch_drop(int fd, int watch); /* one that went by itself: no harm */

struct os_filewatch_news {
    int watch;
    const char *name; /* what appeared in a folder; or NULL: of a folder, that it was moved or deleted */
    bool lost;        /* some news were: look at everything */
};
typedef void os_filewatch_told(void *arg, const struct os_filewatch_news *news);
void os_filewatch_read(int fd, os_filewatch_told *told, void *arg); /* all there are, without waiting */
