/* app.scale, reset, signal, send, env: the smaller commands on apps. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/select.h"
#include "app/token.h"
#include "daemon/op.h"
#include "daemon/show.h"
#include "os/cpus.h"
#include "os/procstat.h"
#include "os/signame.h"

/* False: answered with the error. */
static bool select_or_refuse(struct request *r, struct selection *s)
{
    struct err e;
    if (select_apps(&r->daemon->world, json_object_get(r->params, "select"), s, &e) == 0)
        return true;
    request_error(r, &e);
    return false;
}

/* Does `act` for each instance that is meant, also where it has failed for another; the first error becomes
 * the app's outcome. */
typedef int instance_act(struct request *r, struct instance *in, struct err *e);

static void for_instances(struct request *r, instance_act *act)
{
    struct selection s = { 0 };
    if (!select_or_refuse(r, &s))
        return;
    struct op *o = op_new(r, false);
    for (size_t i = 0; i < s.n; i++) {
        struct err first, other;
        int failed = 0;
        for (size_t k = 0; k < s.apps[i]->n; k++)
            if (select_has_instance(json_object_get(r->params, "select"), s.apps[i]->instances[k]))
                failed += act(r, s.apps[i]->instances[k], failed ? &other : &first) < 0;
        if (failed)
            op_add_error(o, s.apps[i]->spec->name, &first);
        else
            op_add_unchanged(o, s.apps[i]);
    }
    selection_done(&s);
    op_go(o);
}

static int reset(struct request *r, struct instance *in, struct err *e)
{
    instance_reset(in);
    return 0;
}

void req_app_reset(struct request *r)
{
    for_instances(r, reset);
}

static int send_signal(struct request *r, struct instance *in, struct err *e)
{
    int sig = (int)json_get_int(r->params, "signal", 0);
    const char *name = in->app->spec->name;
    if (sig <= 0 || sig > os_signal_last())
        return err_set(e, ERR_PARAMS, "%s: signal: a number is expected", name);
    if (!in->pid)
        return err_set(e, ERR_FAILED, "%s: no process runs", name);
    return procstat_kill(in->pid, in->start, sig) < 0 ? err_sys(e, "%s: signal %d", name, sig) : 0;
}

void req_app_signal(struct request *r)
{
    for_instances(r, send_signal);
}

/* app.send. What the log writer writes for us (outlet_send) is answered once it has. */

struct send_part { /* of an app */
    char *name;
    struct err e; /* the first */
    bool failed;
};

struct send_work {
    struct link link; /* in daemon.sends */
    uint64_t number;
    struct op *op;
    struct buf text;
    struct send_part *parts;
    size_t n, open; /* apps; instances that have yet to be written to */
};

enum { SEND_PARTS_MOST = 1 << 20 }; /* a ticket is the work's number and the app's place in it */

static void send_free(struct send_work *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->parts[i].name);
    list_remove(&w->link);
    buf_done(&w->text);
    free(w->parts);
    free(w);
}

void sends_free(struct daemon *d)
{
    list_each_safe (l, &d->sends)
        send_free(container_of(l, struct send_work, link));
}

static void note_sent(const struct send_work *w, struct send_part *p, ssize_t n, int error)
{
    struct err e;
    errno = error;
    if (n == (ssize_t)w->text.len || p->failed)
        return;
    p->failed = true;
    if (n >= 0 || error == EAGAIN)
        err_set(&e, ERR_FAILED, "%s: does not read its standard input: %zd of %zu bytes were taken", p->name,
                MAX(n, (ssize_t)0), w->text.len);
    else if (error == ESRCH)
        err_set(&e, ERR_FAILED, "%s: no process runs", p->name);
    else if (error == ETIMEDOUT)
        err_set(&e, ERR_FAILED, "%s: standard input: the log writer, who writes it, waits for a disk",
                p->name);
    else
        err_sys(&e, "%s: standard input", p->name);
    p->e = e;
}

static void answer_send(struct daemon *d, struct send_work *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct send_part *p = &w->parts[i];
        const struct app *a = world_find(&d->world, p->name);
        if (!a && !p->failed) {
            p->failed = true;
            err_set(&p->e, ERR_FAILED, "%s: was deleted meanwhile", p->name);
        }
        if (p->failed)
            op_add_error(w->op, p->name, &p->e);
        else
            op_add_unchanged(w->op, a);
    }
    op_go(w->op);
    send_free(w);
}

void send_done(struct daemon *d, const struct pump_news *news)
{
    list_each (l, &d->sends) {
        struct send_work *w = container_of(l, struct send_work, link);
        if (w->number != news->ticket / SEND_PARTS_MOST)
            continue;
        note_sent(w, &w->parts[news->ticket % SEND_PARTS_MOST], (ssize_t)news->bytes, news->error);
        if (--w->open == 0)
            answer_send(d, w);
        return;
    }
}

static void send_line(struct send_work *w, size_t part, struct instance *in)
{
    ssize_t n = -1;
    errno = ESRCH;
    if (in->pid && in->input[1] >= 0)
        n = outlet_send(in, &w->text, w->number * SEND_PARTS_MOST + part);
    if (n < 0 && errno == EINPROGRESS)
        w->open++;
    else
        note_sent(w, &w->parts[part], n, errno);
}

void req_app_send(struct request *r)
{
    struct daemon *d = r->daemon;
    struct selection s = { 0 };
    const json_t *select = json_object_get(r->params, "select");
    if (!select_or_refuse(r, &s))
        return;
    struct send_work *w = xnew(struct send_work);
    *w = (struct send_work){ .number = ++d->next_log_work, .op = op_new(r, false), .n = s.n };
    w->parts = xcalloc(s.n, sizeof(*w->parts));
    list_append(&d->sends, &w->link);
    own_text line = json_uncarry(xstrdup(json_get_str(r->params, "line", "")));
    buf_adds(&w->text, line);
    buf_addc(&w->text, '\n');
    for (size_t i = 0; i < s.n; i++) {
        w->parts[i].name = xstrdup(s.apps[i]->spec->name);
        for (size_t k = 0; k < s.apps[i]->n; k++)
            if (select_has_instance(select, s.apps[i]->instances[k]))
                send_line(w, i, s.apps[i]->instances[k]);
    }
    selection_done(&s);
    if (w->open == 0)
        answer_send(d, w);
}

/* instances: the number; or change: how many more (or fewer). */
void req_app_scale(struct request *r)
{
    struct selection s = { 0 };
    if (!select_or_refuse(r, &s))
        return;
    struct op *o = op_new(r, false);
    for (size_t i = 0; i < s.n; i++) {
        struct err e;
        struct app *a = s.apps[i];
        int64_t wanted = json_get_int(r->params, "instances", 0);
        if (r->retry && token_matches(a->token, TOKEN_SCALE, r->token))
            wanted = app_instances_wanted(a->spec); /* the velosd before us had begun */
        else if (!json_object_get(r->params, "instances"))
            wanted = app_instances_wanted(a->spec) + json_get_int(r->params, "change", 0);
        else if (wanted == INSTANCES_MAX)
            wanted = os_cpus();
        if (wanted < 1 || wanted > INSTANCES_MOST) {
            err_set(&e, ERR_CONFIG, "%s: instances: expected 1 to %d, got %lld", a->spec->name,
                    INSTANCES_MOST, (long long)wanted);
            op_add_error(o, a->spec->name, &e);
        } else {
            op_add_scale(o, a, (int)wanted);
        }
    }
    selection_done(&s);
    op_go(o);
}

void req_app_env(struct request *r)
{
    struct selection s = { 0 };
    if (!select_or_refuse(r, &s))
        return;
    own_buf json = { 0 };
    struct json_out j = JSON_OUT(&json);
    json_open(&j, NULL, '{');
    json_open(&j, "apps", '[');
    for (size_t i = 0; i < s.n; i++) {
        struct err e;
        struct environ env = { 0 };
        const char *name = s.apps[i]->spec->name;
        json_open(&j, NULL, '{');
        json_str(&j, "name", name);
        if (s.apps[i]->n == 0) { /* the last instance of an app that is being deleted may be gone */
            err_set(&e, ERR_NOT_FOUND, "%s: is being deleted", name);
            proto_write_error(&j, "error", &e);
        } else if (instance_environ(s.apps[i]->instances[0], &env, &e) < 0) {
            err_in(&e, "%s", name);
            proto_write_error(&j, "error", &e);
        } else {
            json_strv(&j, "env", env.all.v);
        }
        environ_done(&env);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    selection_done(&s);
    request_result(r, json.data);
}
