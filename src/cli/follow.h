/* src/cli/follow.h: tells which of some files were written to, replaced or made anew. The files' folders are
 * watched too, since a file that is not there cannot be. */
#pragma once
#include "base/text.h"
#include "logs/place.h"

struct follow;
struct follow *follow_new(void);
struct follow *follow_free(struct follow *f);

/* Files are numbered from 0, in this order. They are looked for with these rights (NULL: our own), which
 * outlive it. */
void follow_add(struct follow *f, const char *path, const struct rights *rights);
void follow_folder(struct follow *f, const char *path);
void follow_begin(struct follow *f); /* from here on Ctrl-C is told; until then it ends us */

struct follow_hooks {
    bool (*changed)(void *arg, size_t n); /* each once at first; true: there is more, it is told again */
    /* In one of the folders, and not added; or such a folder, which was not there: names in it may be missed.
     */
    void (*appeared)(void *arg, const char *path);
    void *arg;
    int fd; /* to wait for beside the files; -1: none. `ready` when it can be read, or has ended */
    void (*ready)(void *arg);
};
enum follow_end { FOLLOW_ON, FOLLOW_INTERRUPTED, FOLLOW_UNREAD };
/* Waits for something to tell, or for Ctrl-C, or until nobody reads our stdout any more. */
enum follow_end follow_wait(struct follow *f, const struct follow_hooks *hooks);
