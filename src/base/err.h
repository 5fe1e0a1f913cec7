/* src/base/err.h: an error says what we were trying to do, why it failed, and what to do next.
 *
 * A plain value: nothing to free, fine to copy into a reply. A function that can fail takes a
 * `struct err *` (never NULL) and returns -1 once it is filled; otherwise it leaves it alone.
 * The code decides the exit status of the CLI and the number on the wire; the text is for people. */
#pragma once
#include "base/def.h"

enum err_code {
    ERR_NONE,
    ERR_FAILED,      /* did not work, and no better word fits */
    ERR_USAGE,       /* the command line is wrong */
    ERR_CONFIG,      /* a setting is wrong */
    ERR_NOT_FOUND,   /* no such app */
    ERR_UNREACHABLE, /* no daemon, or it does not answer */
    ERR_TIMEOUT,     /* waited as long as was asked */
    ERR_EXISTS,      /* the name is taken */
    ERR_DENIED,      /* not this user */
    ERR_SPAWN,       /* the program could not be executed */
    ERR_VERSION,     /* the other side speaks another protocol */
    ERR_LIMIT,       /* a bound was hit */
    ERR_CANCELLED,   /* a later command won */
    ERR_PARSE,       /* not JSON */
    ERR_REQUEST,     /* JSON, but not a request */
    ERR_METHOD,      /* no such method */
    ERR_PARAMS,      /* wrong arguments of a method */
    ERR_INTERNAL,    /* our mistake */
    ERR_N
};

struct err {
    enum err_code code;
    int sys;        /* errno, or 0 */
    char text[480]; /* "start api: script: ./nosuch.js: no such file" */
    char hint[240]; /* what to do next, or "" */
};

/* All return -1. Texts longer than the struct are cut with "...". */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) printf_like(3, 4);
int err_sys(struct err *e, const char *fmt, ...)
    printf_like(2, 3); /* ERR_FAILED, appends ": strerror(errno)" */
int err_in(struct err *e, const char *fmt, ...) printf_like(2, 3);   /* puts "context: " in front */
int err_hint(struct err *e, const char *fmt, ...) printf_like(2, 3); /* sets the next step */

const char *err_code_name(enum err_code code); /* "not_found" */
enum err_code err_code_find(const char *name); /* ERR_FAILED for a name of a later version */
int err_exit_status(enum err_code code);       /* 1..5, see docs/exit-codes */
int err_rpc_number(enum err_code code);        /* JSON-RPC 2.0 error number */
