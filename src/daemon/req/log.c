/* log.flush, log.reopen, and what log.files waits for: the pump's work; the answer comes once it has said
 * that all files are done. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/select.h"
#include "daemon/request.h"

struct part { /* of an app */
    char *name, *ns;
    int64_t files, bytes;
    int error;
};

struct log_work {
    struct link link; /* in daemon.log_works */
    uint64_t number;
    uint64_t conn;
    char *id;
    struct part *parts;
    size_t n, open; /* apps; files the pump has not answered for yet */
    char **paths;   /* each once: streams and instances may share */
    char *result;   /* log.files: its answer; or NULL */
};

enum { SYNC_MS = 100 };
enum { PARTS_MOST = 1 << 20 }; /* a ticket is the work's number and the app's place in it */

static void work_free(struct log_work *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->parts[i].name);
        free(w->parts[i].ns);
    }
    list_remove(&w->link);
    strv_free(w->paths);
    free(w->parts);
    free(w->result);
    free(w->id);
    free(w);
}

static void write_part(struct json_out *j, const struct part *p)
{
    struct err e;
    json_open(j, NULL, '{');
    json_str(j, "name", p->name);
    json_str(j, "namespace", p->ns);
    json_int(j, "files", p->files);
    json_int(j, "bytes", p->bytes);
    if (p->error) {
        err_set(&e, ERR_FAILED, "%s: a log file cannot be opened: %s", p->name, strerror(p->error));
        err_hint(&e, "the files that were open are still written");
        proto_write_error(j, "error", &e);
    }
    json_close(j, '}');
}

static void answer_when_done(struct daemon *d, struct log_work *w)
{
    own_buf json = { 0 };
    struct json_out j = JSON_OUT(&json);
    if (w->open)
        return;
    if (w->result) {
        answer_result(d, w->conn, w->id, w->result);
        work_free(w);
        if (list_empty(&d->log_works))
            uv_timer_stop(d->sync_due);
        return;
    }
    json_open(&j, NULL, '{');
    json_open(&j, "apps", '[');
    for (size_t i = 0; i < w->n; i++)
        write_part(&j, &w->parts[i]);
    json_close(&j, ']');
    json_close(&j, '}');
    answer_result(d, w->conn, w->id, json.data);
    work_free(w);
}

void log_work_done(void *daemon, const struct pump_news *news)
{
    struct daemon *d = daemon;
    if (news->type == PUMP_SENT) {
        send_done(d, news);
        return;
    }
    list_each (l, &d->log_works) {
        struct log_work *w = container_of(l, struct log_work, link);
        if (w->number != news->stream / PARTS_MOST)
            continue;
        struct part *p = &w->parts[news->stream % PARTS_MOST];
        p->bytes += news->bytes;
        p->error = p->error ? p->error : news->error;
        w->open--;
        answer_when_done(d, w);
        return;
    }
}

static void sync_closed(uv_handle_t *h)
{
    free(h);
}

void log_works_free(struct daemon *d)
{
    if (d->sync_due)
        uv_close((uv_handle_t *)steal(d->sync_due), sync_closed);
    list_each_safe (l, &d->log_works)
        work_free(container_of(l, struct log_work, link));
}

static struct log_work *work_new(struct request *r, size_t parts)
{
    struct daemon *d = r->daemon;
    struct log_work *w = xnew(struct log_work);
    w->number = ++d->next_log_work;
    w->conn = r->conn->number;
    w->id = r->id ? xstrdup(r->id) : NULL;
    w->parts = xcalloc(parts, sizeof(*w->parts));
    list_append(&d->log_works, &w->link);
    return w;
}

static void on_sync_due(uv_timer_t *t)
{
    struct daemon *d = t->data;
    list_each_safe (l, &d->log_works) {
        struct log_work *w = container_of(l, struct log_work, link);
        if (!w->result)
            continue;
        w->open = 0;
        answer_when_done(d, w);
    }
}

void log_work_sync(struct request *r, char *take_result)
{
    struct daemon *d = r->daemon;
    struct log_work *w = work_new(r, 1);
    w->result = take_result;
    w->n = w->open = 1;
    pump_sync(d->world.pump, w->number * PARTS_MOST);
    if (!d->sync_due) {
        d->sync_due = xnew(uv_timer_t);
        uv_timer_init(&d->loop, d->sync_due);
        d->sync_due->data = d;
    }
    if (!uv_is_active((uv_handle_t *)d->sync_due))
        uv_timer_start(d->sync_due, on_sync_due, SYNC_MS, 0);
}

typedef void order(struct pump *p, uint64_t ticket, const struct pump_target *to);

static void order_one(struct daemon *d, struct log_work *w, size_t part, const struct instance *in,
                      int outlet, order *give)
{
    own_text path = NULL;
    own_rights rights = NULL;
    struct pump_target to;
    struct err ignored; /* no such user: then the rights are none, and the file tells */
    (void)outlet_target(in, outlet, &to, &path, &rights, &ignored);
    to.formatted = false;
    if (strv_has(w->paths, path))
        return;
    w->paths = strv_add(w->paths, path);
    w->parts[part].files++;
    w->open++;
    give(d->world.pump, w->number * PARTS_MOST + part, &to);
}

static void work(struct request *r, order *give)
{
    struct daemon *d = r->daemon;
    struct selection s = { 0 };
    struct err e;
    const json_t *select = json_object_get(r->params, "select");
    if (select_apps(&d->world, select, &s, &e) < 0) {
        request_error(r, &e);
        return;
    }
    struct log_work *w = work_new(r, s.n + 1);
    for (w->n = 0; w->n < s.n; w->n++) {
        const struct app *a = s.apps[w->n];
        w->parts[w->n].name = xstrdup(a->spec->name);
        w->parts[w->n].ns = xstrdup(a->spec->ns);
        for (size_t k = 0; k < a->n; k++)
            for (int o = 0; o < OUTLET_N && select_has_instance(select, a->instances[k]); o++)
                order_one(d, w, w->n, a->instances[k], o, give);
    }
    selection_done(&s);
    answer_when_done(d, w);
}

void req_log_flush(struct request *r)
{
    work(r, pump_flush);
}

void req_log_reopen(struct request *r)
{
    work(r, pump_reopen);
}
