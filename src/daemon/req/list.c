/* app.list, app.info, log.files: what there is. */
#include "app/select.h"
#include "daemon/request.h"
#include "daemon/show.h"

typedef void write_row(struct json_out *j, struct instance *in);

/* The caller frees; NULL: it is answered, with an error. */
static char *write_rows(struct request *r, const char *member, write_row *row)
{
    struct selection s = { 0 };
    struct err e;
    const json_t *select = json_object_get(r->params, "select");
    if (select_apps(&r->daemon->world, select, &s, &e) < 0) {
        request_error(r, &e);
        return NULL;
    }
    own_buf json = { 0 };
    struct json_out j = JSON_OUT(&json);
    json_open(&j, NULL, '{');
    json_open(&j, member, '[');
    for (size_t i = 0; i < s.n; i++)
        for (size_t k = 0; k < s.apps[i]->n; k++)
            if (select_has_instance(select, s.apps[i]->instances[k]))
                row(&j, s.apps[i]->instances[k]);
    json_close(&j, ']');
    json_close(&j, '}');
    selection_done(&s);
    return buf_steal(&json);
}

static void answer_rows(struct request *r, const char *member, write_row *row)
{
    own_text rows = write_rows(r, member, row);
    if (rows)
        request_result(r, rows);
}

void req_app_list(struct request *r)
{
    answer_rows(r, "apps", show_list_row);
}

void req_app_info(struct request *r)
{
    answer_rows(r, "apps", show_info);
}

/* Root reads the logs of another user with the rights of that. */
static void write_rights(struct json_out *j, const struct rights *r)
{
    if (!r)
        return;
    json_int(j, "uid", r->as.uid);
    json_int(j, "gid", r->as.gid);
    json_open(j, "groups", '[');
    for (int i = 0; i < r->as.n_groups; i++)
        json_int(j, NULL, r->as.groups[i]);
    json_close(j, ']');
}

static void write_files(struct json_out *j, struct instance *in)
{
    static const char *const streams[OUTLET_N] = { "out", "err" };
    own_rights rights = NULL;
    struct err ignored; /* no such user: it has no rights */
    if (app_log_rights(in->app, &rights, &ignored) < 0 && !rights)
        return;
    for (int i = 0; i < OUTLET_N; i++) {
        own_text path = instance_log_path(in, i);
        json_open(j, NULL, '{');
        json_str(j, "app", in->app->spec->name);
        json_int(j, "id", in->id);
        json_int(j, "instance", in->index);
        json_str(j, "stream", streams[i]);
        json_str(j, "path", path);
        write_rights(j, rights);
        json_close(j, '}');
    }
}

void req_log_files(struct request *r)
{
    char *rows = write_rows(r, "files", write_files);
    if (rows)
        log_work_sync(r, rows);
}
