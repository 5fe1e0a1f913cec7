/* src/cli/boot/boot.h: starting with the machine. A kind is a service manager: where its file lies, what
 * stands in it, and what is to be said to it once the file is there or goes; one file each. */
#pragma once
#include <sys/types.h>

#include "cli/cli.h"

struct boot_kind;

struct boot {
    const struct boot_kind *kind;
    bool own;              /* the user's own manager (systemd --user, LaunchAgents), not the machine's */
    const char *root;      /* in front of every path, for an image; "" */
    char *user, *user_dir; /* whose apps; where that user's files are */
    char *home;            /* VELOS_HOME */
    char *program;         /* velos itself */
};

struct boot_kind {
    const char *name;
    bool has_own;
    bool (*is_here)(void); /* this machine was started by it */
    char *(*path)(const struct boot *b);
    mode_t mode;
    void (*text)(const struct boot *b, struct buf *out);
    /* The words of the n-th command behind writing (install) or before removing the file; NULL: no more. */
    char **(*command)(const struct boot *b, bool install, size_t n);
    /* What will keep it from working although the file is right, as one sentence; NULL: nothing. */
    char *(*obstacle)(const struct boot *b);
};
extern const struct boot_kind boot_systemd, boot_openrc, boot_launchd;
extern const struct boot_kind *const boot_kinds[]; /* NULL-terminated */

/* As --init, --user, --for and --root say. */
must_check int boot_init(struct boot *b, const struct cli *c, struct err *e);
void boot_done(struct boot *b);
char *boot_path(const struct boot *b);      /* below root */
char *boot_unit_name(const struct boot *b); /* "velos", or "velos-<user>" beside root's */

/* The user's own environment as a service manager starts it: PATH and who it is, no more. A strv. */
char **boot_environ(const struct boot *b);

/* check.c: a start of the daemon in a copy of the home, as at boot; what is found is printed. The exit
 * status. */
int boot_check(struct cli *c, const struct boot *b, struct err *e);
