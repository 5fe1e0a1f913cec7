/* src/store/ledger.h: what must outlive velosd, in memory that does: a file without a name that velosd and
 * velos-keeper both map. An entry is a key, a text, the pid of a living child, and how that child ended.
 *
 * velosd alone writes entries. Its put copies the text to a free block and then turns one number, so whenever
 * it is killed an entry is the old one or the new one, whole; it makes no system call and wakes nobody. A
 * child's pid is written by the kernel before the child runs (CLONE_PARENT_SETTID), into the block that is
 * current then: no child is ever unknown. The keeper writes one thing, how a pid ended.
 *
 * What is free is known to the writer alone, who works it out when it opens the ledger. libc only. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum {
    LEDGER_KEY_MOST = 96,
    LEDGER_SLOTS = 1 << 16, /* entries */
    LEDGER_TEXT_MOST = 256 << 20,
};

/* Texts that the keeper itself writes, of what it was started with, before the first velosd is there. */
#define LEDGER_SETTINGS "settings" /* [daemon] as JSON */
#define LEDGER_BOOT     "boot"     /* there until the saved apps are started */

struct ledger;

struct ledger_entry {
    const char *key, *text; /* each with a NUL behind; valid until the next put or delete */
    size_t len;             /* of text */
    pid_t pid;              /* 0: no child */
    bool ended;             /* that child has ended; status is what wait(2) tells */
    int status;
};

int ledger_file(void); /* a new, empty one: a descriptor, close-on-exec; -1 with errno */

/* Maps it; the descriptor stays the caller's and must stay open. */
must_check int ledger_open(int fd, struct ledger **out, struct err *e);
struct ledger *ledger_free(struct ledger *l); /* takes NULL, returns NULL; what is written stays */

/* Slots are numbered from 0 to ledger_len() - 1; false: nothing there. */
size_t ledger_len(const struct ledger *l);
bool ledger_read(const struct ledger *l, size_t slot, struct ledger_entry *out);
bool ledger_has(const struct ledger *l, const char *key); /* looks through all of them */

/* *slot -1: a new entry, *slot is set. 0, or -1 with errno (ENOSPC: all slots taken; what ftruncate(2) and
 * mmap(2) say); then the entry is what it was. */
must_check int ledger_put(struct ledger *l, int *slot, const char *key, pid_t pid, const char *text,
                          size_t len);
void ledger_delete(struct ledger *l, int *slot); /* *slot becomes -1; -1 does nothing */

/* Where the pid of the child to come is to be written; until the next put of any entry. Forgets how the child
 * before ended. */
int32_t *ledger_child(struct ledger *l, int slot);

/* The keeper's half: whose child this is (-1: nobody's), and how it ended. */
int ledger_find_child(struct ledger *l, pid_t pid);
void ledger_child_ended(struct ledger *l, int slot, pid_t pid, int status);
