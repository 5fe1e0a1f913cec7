#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One row per code: its name on the wire, the CLI's exit status, the JSON-RPC number. The numbers of
 * the first four are JSON-RPC's own (section 5.1); ours count down from -32000. */
static const struct {
    const char *name;
    int exit, rpc;
} codes[ERR_N] = {
    [ERR_NONE] = { "none", 0, 0 },
    [ERR_PARSE] = { "parse_error", 1, -32700 },
    [ERR_REQUEST] = { "invalid_request", 1, -32600 },
    [ERR_METHOD] = { "unknown_method", 1, -32601 },
    [ERR_PARAMS] = { "invalid_params", 2, -32602 },
    [ERR_INTERNAL] = { "internal", 1, -32603 },
    [ERR_FAILED] = { "failed", 1, -32000 },
    [ERR_USAGE] = { "usage", 2, -32001 },
    [ERR_CONFIG] = { "config", 2, -32002 },
    [ERR_NOT_FOUND] = { "not_found", 3, -32003 },
    [ERR_UNREACHABLE] = { "unreachable", 4, -32004 },
    [ERR_TIMEOUT] = { "timeout", 5, -32005 },
    [ERR_EXISTS] = { "exists", 1, -32006 },
    [ERR_DENIED] = { "denied", 1, -32007 },
    [ERR_SPAWN] = { "spawn", 1, -32008 },
    [ERR_VERSION] = { "version", 1, -32009 },
    [ERR_LIMIT] = { "limit", 1, -32010 },
    [ERR_CANCELLED] = { "cancelled", 1, -32011 },
};

static void put(char *out, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(out, size, fmt, ap);
    if (n >= 0 && (size_t)n >= size)
        memcpy(out + size - 4, "...", 4);
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    e->code = code;
    e->sys = 0;
    e->hint[0] = '\0';
    return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
    int saved = errno;
    char what[sizeof(e->text)];
    va_list ap;
    va_start(ap, fmt);
    put(what, sizeof(what), fmt, ap);
    va_end(ap);
    err_set(e, ERR_FAILED, "%s: %s", what, strerror(saved));
    e->sys = saved;
    return -1;
}

int err_in(struct err *e, const char *fmt, ...)
{
    char context[sizeof(e->text)], was[sizeof(e->text)];
    va_list ap;
    va_start(ap, fmt);
    put(context, sizeof(context), fmt, ap);
    va_end(ap);
    memcpy(was, e->text, sizeof(was));
    int n = snprintf(e->text, sizeof(e->text), "%s: %s", context, was);
    if (n >= 0 && (size_t)n >= sizeof(e->text))
        memcpy(e->text + sizeof(e->text) - 4, "...", 4);
    return -1;
}

int err_hint(struct err *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put(e->hint, sizeof(e->hint), fmt, ap);
    va_end(ap);
    return -1;
}

const char *err_code_name(enum err_code code)
{
    return codes[code].name;
}

enum err_code err_code_find(const char *name)
{
    for (enum err_code c = ERR_FAILED; c < ERR_N; c++)
        if (strcmp(codes[c].name, name) == 0)
            return c;
    return ERR_FAILED;
}

int err_exit_status(enum err_code code)
{
    return codes[code].exit;
}

int err_rpc_number(enum err_code code)
{
    return codes[code].rpc;
}
