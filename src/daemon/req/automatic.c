/* app.cron, app.watch: what restarts apps by itself: when next, and because of which files. */
#include "app/select.h"
#include "app/timetable.h"
#include "app/watching.h"
#include "daemon/request.h"
#include "daemon/show.h"

typedef void write_app(struct json_out *j, const struct app *a);

static void answer_apps(struct request *r, bool (*is_meant)(const struct app *a), write_app *more)
{
    struct selection s = { 0 };
    struct err e;
    if (select_apps(&r->daemon->world, json_object_get(r->params, "select"), &s, &e) < 0) {
        request_error(r, &e);
        return;
    }
    own_buf json = { 0 };
    struct json_out j = JSON_OUT(&json);
    json_open(&j, NULL, '{');
    json_open(&j, "apps", '[');
    for (size_t i = 0; i < s.n; i++) {
        if (!is_meant(s.apps[i]))
            continue;
        json_open(&j, NULL, '{');
        json_str(&j, "name", s.apps[i]->spec->name);
        json_str(&j, "namespace", s.apps[i]->spec->ns);
        json_str(&j, "status", life_name(app_life(s.apps[i])));
        more(&j, s.apps[i]);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    selection_done(&s);
    request_result(r, json.data);
}

static bool has_cron(const struct app *a)
{
    return a->timetable != NULL;
}

static void write_cron(struct json_out *j, const struct app *a)
{
    json_str(j, "cron_restart", a->spec->cron_restart);
    show_cron(j, a);
}

void req_app_cron(struct request *r)
{
    answer_apps(r, has_cron, write_cron);
}

static bool has_watch(const struct app *a)
{
    return a->spec->watch;
}

static void write_watch(struct json_out *j, const struct app *a)
{
    watching_write(a, j);
}

void req_app_watch(struct request *r)
{
    answer_apps(r, has_watch, write_watch);
}
