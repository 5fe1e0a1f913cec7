#include "daemon/state.h"

#include <stdlib.h>

#include "app/saved.h"
#include "base/fault.h"
#include "base/log.h"
#include "daemon/op.h"
#include "store/state_file.h"

enum { AUTO_SAVE_MS = 200 }; /* what comes within is saved together */

/* Saving. */

struct waiter { /* for the answer */
    struct link link;
    uint64_t conn;
    char *id;
};

struct save {
    uv_work_t work;
    struct daemon *daemon;
    struct buf text;
    size_t apps, instances;
    struct link waiters;
    bool failed;
    struct err e;
    char *moved; /* the name that a file has now which could not be read; or NULL */
};

static void save_start(struct daemon *d, struct save *s);

static struct save *save_new(struct daemon *d)
{
    struct save *s = xnew(struct save);
    s->daemon = d;
    s->work.data = s;
    list_init(&s->waiters);
    return s;
}

static void save_free(struct save *s)
{
    buf_done(&s->text);
    free(s->moved);
    free(s);
}

static void save_write(uv_work_t *work) /* on a worker thread */
{
    struct save *s = work->data;
    s->failed = state_file_write(s->daemon->home, &s->text, saved_is_unreadable, &s->moved, &s->e) < 0;
}

static char *save_result(const struct save *s)
{
    own_buf json = { 0 };
    struct json_out j = JSON_OUT(&json);
    own_text path = xasprintf("%s/" STATE_FILE, s->daemon->home);
    json_open(&j, NULL, '{');
    json_str(&j, "path", path);
    json_int(&j, "apps", (int64_t)s->apps);
    json_int(&j, "instances", (int64_t)s->instances);
    if (s->moved) {
        own_text warning =
            xasprintf("%s: a file there could not be read (damaged, or of a later version); it is now %s",
                      path, s->moved);
        json_str(&j, "warning", warning);
    }
    json_close(&j, '}');
    return buf_steal(&json);
}

static void save_answer(struct save *s)
{
    own_text result = save_result(s);
    while (!list_empty(&s->waiters)) {
        struct waiter *w = container_of(s->waiters.next, struct waiter, link);
        list_remove(&w->link);
        if (s->failed)
            answer_error(s->daemon, w->conn, w->id, &s->e);
        else
            answer_result(s->daemon, w->conn, w->id, result);
        free(w->id);
        free(w);
    }
}

static void save_done(uv_work_t *work, int status)
{
    struct save *s = work->data, *next = s->daemon->save_next;
    struct daemon *d = s->daemon;
    if (s->failed)
        log_error("save: %s", s->e.text);
    else if (s->moved)
        log_warn("save: a saved list could not be read; it is now %s", s->moved);
    fault_point("save.flushed");
    save_answer(s);
    save_free(s);
    d->saving = d->save_next = NULL;
    if (next)
        save_start(d, next);
}

static void save_start(struct daemon *d, struct save *s)
{
    d->saving = s;
    uv_queue_work(&d->loop, &s->work, save_write, save_done);
}

/* The list as it is now, behind what is being written; one that waits there already is written as it is now.
 */
static struct save *save_now(struct daemon *d)
{
    struct save *s = d->save_next ? d->save_next : save_new(d);
    buf_clear(&s->text);
    s->apps = saved_write(&d->world, &s->text);
    s->instances = d->world.n_instances;
    if (d->saving)
        d->save_next = s;
    else
        save_start(d, s);
    return s;
}

void req_state_save(struct request *r)
{
    struct daemon *d = r->daemon;
    struct err e;
    if (d->world.n_apps == 0 && !json_get_flag(r->params, "force", false)) {
        err_set(&e, ERR_FAILED, "the list is empty: what was saved before is left alone");
        err_hint(&e, "velos save --force saves the empty list; velos resurrect brings the saved one back");
        request_error(r, &e);
        return;
    }
    struct waiter *w = xnew(struct waiter);
    w->conn = r->conn->number;
    w->id = r->id ? xstrdup(r->id) : NULL;
    list_append(&save_now(d)->waiters, &w->link);
}

static void on_save_due(uv_timer_t *t)
{
    struct daemon *d = container_of(t, struct daemon, save_due);
    if (!d->ending && d->world.n_apps) /* an empty list is never saved unasked */
        save_now(d);
}

void state_changed(struct daemon *d)
{
    if (!d->world.settings->auto_save || d->ending || uv_is_active((uv_handle_t *)&d->save_due))
        return;
    uv_timer_start(&d->save_due, on_save_due, AUTO_SAVE_MS, 0);
}

/* Resurrecting. */

struct resurrection {
    uv_work_t work;
    struct daemon *daemon;
    struct op *op;
    json_t *saved; /* or NULL: e says why */
    struct err e;
    char *warning; /* why the previous file was used; or NULL */
    bool dry;
};

static int read_one(const char *home, const char *name, json_t **out, struct err *e)
{
    own_text text = NULL;
    size_t n;
    if (state_file_read(home, name, &text, &n, e) < 0)
        return -1;
    return saved_parse(text, n, out, e) < 0 ? err_in(e, "%s/%s", home, name) : 0;
}

/* A damaged or missing file: the previous one, if that is whole. */
static void resurrection_read(uv_work_t *work) /* on a worker thread */
{
    struct resurrection *r = work->data;
    const char *home = r->daemon->home;
    struct err none;
    if (read_one(home, STATE_FILE, &r->saved, &r->e) == 0 || r->e.code == ERR_VERSION)
        return;
    if (read_one(home, STATE_PREVIOUS, &r->saved, &none) == 0) {
        r->warning = xasprintf("%s; " STATE_PREVIOUS " of %s is used instead", r->e.text,
                               json_get_str(r->saved, "saved_at", "unknown date"));
    } else if (r->e.code == ERR_NOT_FOUND) {
        err_set(&r->e, ERR_FAILED, "nothing was saved: there is no %s/" STATE_FILE, home);
        err_hint(&r->e, "velos save");
    } else {
        err_hint(&r->e, "there is no whole " STATE_PREVIOUS
                        " either; repair the file, or start the apps anew and velos save");
    }
}

static void restore_one(struct resurrection *r, size_t i)
{
    struct err e;
    struct app *a;
    int made = saved_restore(&r->daemon->world, r->saved, i, r->dry, &a, &e);
    if (r->dry && made > 0 && launch_try(a->instances[0], &e) < 0)
        made = -1;
    if (r->dry && made > 0)
        op_add_unchanged(r->op, a);
    else if (made > 0)
        op_add(r->op, a, OP_RESURRECT);
    else if (made == 0)
        op_add_unchanged(r->op, a);
    else
        op_add_error(r->op, saved_name(r->saved, i), &e);
    if (made < 0)
        log_warn("resurrect: %s", e.text);
}

static void resurrection_end(struct resurrection *r)
{
    if (r->warning)
        log_warn("resurrect: %s", r->warning);
    if (r->daemon->ending && r->saved) {
        json_free(&r->saved);
        err_set(&r->e, ERR_UNREACHABLE, "the daemon is ending");
    }
    if (!r->saved) {
        log_warn("resurrect: %s", r->e.text);
        op_fail(r->op, &r->e);
        return;
    }
    saved_begin(&r->daemon->world, r->saved);
    for (size_t i = 0; i < saved_len(r->saved); i++)
        restore_one(r, i);
    world_put(&r->daemon->world);
    if (r->warning)
        op_warn(r->op, r->warning);
    op_go(r->op);
}

static void resurrection_done(uv_work_t *work, int status)
{
    struct resurrection *r = work->data;
    resurrection_end(r);
    json_free(&r->saved);
    free(r->warning);
    free(r);
}

static void resurrect(struct daemon *d, struct op *o, bool dry)
{
    struct resurrection *r = xnew(struct resurrection);
    r->daemon = d;
    r->op = o;
    r->dry = dry;
    r->work.data = r;
    uv_queue_work(&d->loop, &r->work, resurrection_read, resurrection_done);
}

void req_state_resurrect(struct request *r)
{
    resurrect(r->daemon, op_new(r, false), json_get_flag(r->params, "dry", false));
}

void state_boot(struct daemon *d, op_ended *done)
{
    struct op *o = op_new_silent(d);
    op_when_done(o, done);
    resurrect(d, o, false);
}
