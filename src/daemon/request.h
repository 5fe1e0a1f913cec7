/* src/daemon/request.h: the methods, one table. The socket is the first door to it; a handler never knows
 * which door was used. */
#pragma once
#include "daemon/conn.h"

struct request {
    struct daemon *daemon;
    struct conn *conn;
    char *id;             /* as JSON; NULL: a notification, not answered */
    const json_t *params; /* an object, never NULL */
    const char *token;    /* or NULL */
    bool retry;           /* the same request was sent before, to a daemon that is gone */
};

enum arg_type { ARG_TEXT, ARG_NUMBER, ARG_FLAG, ARG_TEXTS, ARG_OBJECT, ARG_OBJECTS };
struct arg {
    const char *name;
    enum arg_type type;
    bool required;
};
enum { ARGS_MOST = 8 };

struct method {
    const char *name;
    struct arg args[ARGS_MOST]; /* ended by one without a name */
    void (*run)(struct request *r);
    const char *about;
    bool read_only;
};
extern const struct method methods[];
extern const size_t methods_len;

void request_line(struct conn *c, const char *line, size_t n);

/* Answers. Exactly one of them per request, now or (through an op) later. */
void request_result(struct request *r, const char *json);
void request_error(struct request *r, const struct err *e);
void answer_result(struct daemon *d, uint64_t conn, const char *id, const char *json);
void answer_error(struct daemon *d, uint64_t conn, const char *id, const struct err *e);

/* req/log.c: what is under way there. */
void log_work_done(void *daemon, const struct pump_news *news); /* world.log_done */
void log_works_free(struct daemon *d);
void send_done(struct daemon *d, const struct pump_news *news); /* app.send: one instance's */
void sends_free(struct daemon *d);
/* Answers with this once what is in the pipes now is in the files; a disk that hangs is not waited for. */
void log_work_sync(struct request *r, char *take_result);

/* req/: the handlers, one file per family. */
void req_hello(struct request *r);
void req_app_start(struct request *r);
void req_app_stop(struct request *r);
void req_app_restart(struct request *r);
void req_app_delete(struct request *r);
void req_app_reload(struct request *r);
void req_app_scale(struct request *r);
void req_app_reset(struct request *r);
void req_app_signal(struct request *r);
void req_app_send(struct request *r);
void req_app_env(struct request *r);
void req_app_list(struct request *r);
void req_app_info(struct request *r);
void req_app_watch(struct request *r);
void req_app_cron(struct request *r);
void req_log_files(struct request *r);
void req_log_flush(struct request *r);
void req_log_reopen(struct request *r);
void req_events_subscribe(struct request *r);
void req_state_save(struct request *r);
void req_state_resurrect(struct request *r);
void req_daemon_info(struct request *r);
void req_daemon_update(struct request *r);
void req_daemon_kill(struct request *r);
