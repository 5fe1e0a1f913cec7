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

static int send_line(struct request *r, struct instance *in, struct err *e)
{
    const char *line = json_get_str(r->params, "line", ""), *name = in->app->spec->name;
    own_buf text = { 0 };
    if (!in->pid || in->input[1] < 0)
        return err_set(e, ERR_FAILED, "%s: no process runs", name);
    buf_adds(&text, line);
    buf_addc(&text, '\n');
    ssize_t n = write(in->input[1], text.data, text.len);
    if (n == (ssize_t)text.len)
        return 0;
    if (n >= 0 || errno == EAGAIN)
        return err_set(e, ERR_FAILED, "%s: does not read its standard input: %zd of %zu bytes were taken",
                       name, MAX(n, (ssize_t)0), text.len);
    return err_sys(e, "%s: standard input", name);
}

void req_app_send(struct request *r)
{
    for_instances(r, send_line);
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
