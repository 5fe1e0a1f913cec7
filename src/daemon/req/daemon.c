/* velos.hello, daemon.info, daemon.update, daemon.kill, events.subscribe. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/time.h"
#include "config.h"
#include "daemon/op.h"

void req_hello(struct request *r)
{
    struct err e;
    int64_t theirs = json_get_int(r->params, "protocol", 0);
    if (theirs != PROTO_VERSION) {
        err_set(&e, ERR_VERSION, "the client speaks protocol %lld, the daemon (velos %s) protocol %d",
                (long long)theirs, VELOS_VERSION, PROTO_VERSION);
        err_hint(&e, "velos update replaces the daemon by the installed version; apps go on");
        request_error(r, &e); /* daemon.update is for who does not speak our protocol, too */
        return;
    }
    r->conn->greeted = true;
    uv_timer_stop(&r->conn->hello_due);
    own_buf json = { 0 };
    buf_addf(&json, "{\"protocol\":%d,\"version\":\"%s\",\"pid\":%d}", PROTO_VERSION, VELOS_VERSION,
             (int)getpid());
    request_result(r, json.data);
}

void req_daemon_info(struct request *r)
{
    struct daemon *d = r->daemon;
    own_buf json = { 0 };
    struct json_out j = JSON_OUT(&json);
    json_open(&j, NULL, '{');
    json_str(&j, "version", VELOS_VERSION);
    json_int(&j, "protocol", PROTO_VERSION);
    json_int(&j, "pid", getpid());
    json_int(&j, "keeper_pid", d->world.keeper_pid);
    json_str(&j, "home", d->home);
    json_time(&j, "started_at", d->world.started);
    json_int(&j, "uptime_ms", time_wall_ms() - d->world.started);
    json_int(&j, "apps", (int64_t)d->world.n_apps);
    json_int(&j, "instances", (int64_t)d->world.n_instances);
    json_int(&j, "adoptions", d->world.adoptions);
    json_int(&j, "connections", (int64_t)d->n_conns);
    json_int(&j, "seq", d->world.seq);
    settings_write_json(d->world.settings, &j, "settings");
    json_close(&j, '}');
    request_result(r, json.data);
}

static void all_stopped(struct daemon *d, size_t count)
{
    sweep_unowned(&d->world);
    log_info("%zu apps stopped; the daemon ends", count);
    daemon_leave(d, KEEP_BYE);
}

void daemon_stop_all(struct daemon *d, struct op *o)
{
    d->ending = true;
    daemon_ask_time(d);
    list_each (l, &d->world.apps)
        op_add(o, container_of(l, struct app, link), OP_DELETE);
    op_when_done(o, all_stopped);
    op_go(o);
}

void req_daemon_kill(struct request *r)
{
    if (!json_get_flag(r->params, "leave_apps", false)) {
        daemon_stop_all(r->daemon, op_new(r, false));
        return;
    }
    r->daemon->ending = true;
    request_result(r, "{\"apps\":[],\"stopped\":0}");
    daemon_leave(r->daemon, KEEP_LEAVE);
}

/* [daemon] as the file has it now, for the daemons to come. 0 or -1. */
static int keep_settings(struct daemon *d, const char *text, struct err *e)
{
    own_json o = NULL;
    struct ledger *l = d->world.ledger;
    if (text && *text && json_parse(text, strlen(text), &o, e) < 0)
        return err_in(e, "settings");
    if (text && *text && ledger_put(l, &d->world.settings_slot, LEDGER_SETTINGS, 0, text, strlen(text)) < 0)
        return err_sys(e, "settings");
    if (text && !*text)
        ledger_delete(l, &d->world.settings_slot);
    return 0;
}

static void answer_updated(struct request *r)
{
    struct daemon *d = r->daemon;
    struct err e;
    own_buf json = { 0 };
    if (d->update_failed) {
        err_set(&e, ERR_FAILED, "the installed version does not start: %s; velosd " VELOS_VERSION " goes on",
                d->update_failed);
        err_hint(&e, "see %s/" PROTO_LOG "; repair the installation and try again", d->home);
        request_error(r, &e);
        return;
    }
    buf_addf(&json, "{\"version\":\"%s\",\"pid\":%d,\"apps\":%zu}", VELOS_VERSION, (int)getpid(),
             d->world.n_apps);
    request_result(r, json.data);
}

/* Answered by the daemon that comes: the client finds the connection ended and asks again. */
void req_daemon_update(struct request *r)
{
    struct daemon *d = r->daemon;
    struct err e;
    if (r->retry && text_equal(d->world.update, r->token)) {
        answer_updated(r);
        return;
    }
    if (keep_settings(d, json_get_str(r->params, "settings", NULL), &e) < 0) {
        request_error(r, &e);
        return;
    }
    log_info("update: the installed version takes over");
    free(d->world.update);
    d->world.update = r->token ? xstrdup(r->token) : NULL;
    fault_point("update.asked");
    world_put(&d->world);
    fault_point("update.noted");
    d->ending = true;
    daemon_leave(d, KEEP_UPDATE);
}

void req_events_subscribe(struct request *r)
{
    struct daemon *d = r->daemon;
    const struct event *oldest = events_get(&d->events, 0), *ev;
    int64_t since = json_get_int(r->params, "since", d->world.seq);
    own_buf json = { 0 };
    buf_addf(&json, "{\"seq\":%lld,\"first\":%lld}", (long long)d->world.seq,
             (long long)(oldest ? oldest->seq : d->world.seq + 1));
    request_result(r, json.data);
    for (size_t i = 0; (ev = events_get(&d->events, i)) && !r->conn->closing; i++)
        if (ev->seq > since)
            conn_send_event(r->conn, ev);
    r->conn->subscribed = true;
}
