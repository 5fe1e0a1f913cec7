/* src/conf/spec.h: what an app is asked to be: one field per row of the key table (conf/keys.c).
 *
 * Plain data. Everything pointed to is owned by the spec, but for texts and lists that are the defaults':
 * those are shared (key_clear() knows). A field that was not set holds its default (strings: NULL where
 * config.md says "none"); `set` remembers which keys were given, so that a spec can be merged over another
 * and written out without its defaults. */
#pragma once
#include <jansson.h>

#include "base/text.h"

enum autorestart { AUTORESTART_ON_FAILURE, AUTORESTART_ALWAYS, AUTORESTART_NEVER };
enum log_type { LOG_TYPE_RAW, LOG_TYPE_JSON };
enum { INSTANCES_MAX = -1, INSTANCES_MOST = 1024 }; /* `instances = "max"`; the bound */
enum { SPEC_NAME_MOST = 64 };

/* inherit_env: all of the caller's environment, none of it, or the names listed. */
struct inherit_env {
    bool all;
    char **names; /* strv; when !all */
};

struct exit_codes { /* a set of 0..255 */
    uint64_t bits[4];
};

struct app_spec {
    char *name, *ns, *script;
    char **args;
    char *cwd;         /* absolute; symlinks as written */
    char *interpreter; /* NULL: by detection; "none": run directly */
    char **interpreter_args;
    int64_t instances; /* 1..1024 or INSTANCES_MAX */
    char **env;        /* strv "NAME=value", profile already merged */
    char **env_file;   /* absolute paths */
    struct inherit_env inherit_env;
    struct exit_codes stop_exit_codes;
    int64_t max_restarts, min_uptime, restart_delay; /* count, ms, ms */
    int64_t exp_backoff_restart_delay;               /* ms; 0: off */
    int64_t max_memory_restart;                      /* bytes; 0: none */
    int64_t kill_timeout;                            /* ms */
    int64_t kill_signal;                             /* number */
    char *shutdown_message;
    int64_t listen_timeout; /* ms */
    char **watch_paths, **watch_ignore;
    int64_t watch_delay; /* ms */
    char *cron_restart;
    char *out_file, *error_file; /* absolute, or NULL: $VELOS_HOME/logs/<name>-out.log */
    char *log_date_format;
    int64_t log_max_size; /* bytes; 0: never */
    int64_t log_retain_count;
    char *user, *group;

    enum autorestart autorestart;
    enum log_type log_type;
    bool treekill, shutdown_with_message, wait_ready, watch, watch_content, merge_logs, log_compress,
        autostart;

    uint64_t set;    /* bit per key row: given, not defaulted */
    json_t *unknown; /* fields of a later version, kept for the round trip; or NULL */
};

struct app_spec *app_spec_new(void); /* every field at its default */
const struct app_spec *app_spec_defaults(void);
struct app_spec *app_spec_free(struct app_spec *s);
struct app_spec *app_spec_copy(const struct app_spec *s);
void app_spec_cleanup(struct app_spec **s);
#define own_app_spec __attribute__((cleanup(app_spec_cleanup))) struct app_spec *

bool exit_codes_has(const struct exit_codes *c, int code);
