/* app.cron: when the apps that have a cron_restart are restarted next. */
#include "app/select.h"
#include "app/timetable.h"
#include "daemon/request.h"
#include "daemon/show.h"

static void write_app(struct json_out *j, const struct app *a)
{
    json_open(j, NULL, '{');
    json_str(j, "name", a->spec->name);
    json_str(j, "namespace", a->spec->ns);
    json_str(j, "status", life_name(app_life(a)));
    json_str(j, "cron_restart", a->spec->cron_restart);
    show_cron(j, a);
    json_close(j, '}');
}

void req_app_cron(struct request *r)
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
    for (size_t i = 0; i < s.n; i++)
        if (s.apps[i]->timetable)
            write_app(&j, s.apps[i]);
    json_close(&j, ']');
    json_close(&j, '}');
    selection_done(&s);
    request_result(r, json.data);
}
