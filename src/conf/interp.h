/* src/conf/interp.h: which program runs a script (config.md, "Which interpreter").
 *
 * Rules only: the disk is asked through `struct interp_fs`, so that tables can test them, and so that
 * the rules of other systems (PATHEXT, `;` in PATH) are plain data. */
#pragma once
#include "base/text.h"

struct interp_fs { /* how to look at a file; interp_disk is the real one */
    void *arg;
    /* 0 and *mode (st_mode) filled, following symlinks; else an errno */
    int (*stat)(void *arg, const char *path, unsigned *mode);
    /* up to n first bytes; how many, or -errno */
    int (*head)(void *arg, const char *path, char *out, size_t n);
    bool (*can_exec)(void *arg, const char *path); /* access(X_OK) */
};
extern const struct interp_fs interp_disk;

struct interp_rules {
    char list_separator;     /* of PATH: ':' or ';' */
    const char *const *exts; /* tried in turn behind a name without extension: PATHEXT; NULL: none */
    bool exec_bit;           /* a file must be executable to be run directly */
    bool drives;             /* C: and backslashes in paths */
};
extern const struct interp_rules interp_unix, interp_windows;

struct interp_query {
    const char *script;      /* as configured: a path (absolute or relative to cwd) or a program on PATH */
    const char *cwd;         /* absolute */
    const char *interpreter; /* NULL, "none", or a path or program */
    char *const *interpreter_args;
    char *const *args;
    const char *path; /* the app's own PATH; NULL: "/usr/local/bin:/usr/bin:/bin" */
    const struct interp_fs *fs;
    const struct interp_rules *rules;
};

struct interp_plan {
    char *exec;        /* absolute path of what execve gets */
    char **argv;       /* complete, argv[0] included */
    char *script;      /* absolute path of the script found (or of the program) */
    char *interpreter; /* for people and `list --json`: "node", "python3", "none" */
};

/* ERR_CONFIG with file, what was tried and a hint (--interpreter); nothing is started. */
must_check int interp_resolve(const struct interp_query *q, struct interp_plan *out, struct err *e);
void interp_plan_done(struct interp_plan *p);

/* A program on PATH (or a path with a slash, from cwd): absolute path, caller frees; or NULL. */
char *interp_find_program(const struct interp_query *q, const char *name);
