/* Taking over from the velosd before us, and becoming the keeper when that one dies. Both speak entries. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/entry.h"
#include "base/json.h"
#include "base/log.h"
#include "daemon/daemon.h"

/* What the keeper gave, in its order; instances need their app, apps their environment. */
struct kept {
    struct link link;
    struct keep_msg m;
};

static struct kept *kept_new(const struct keep_msg *m)
{
    struct kept *k = xnew(struct kept);
    k->m = *m;
    k->m.blob = xmalloc(m->head.blob_len + 1);
    memcpy(k->m.blob, m->blob, m->head.blob_len + 1);
    return k;
}

static void read_daemon(struct daemon *d, const struct keep_msg *m)
{
    struct err e;
    own_json o = NULL;
    struct world *w = &d->world;
    if (json_parse(m->blob, m->head.blob_len, &o, &e) < 0) {
        log_error("entry daemon: %s", e.text);
        return;
    }
    snprintf(w->nonce, sizeof(w->nonce), "%s", json_get_str(o, "nonce", ""));
    w->next_id = MAX(w->next_id, json_get_int(o, "next_id", 0));
    w->seq = MAX(w->seq, json_get_int(o, "seq", 0));
    w->started = json_get_int(o, "started", 0);
    w->adoptions = json_get_int(o, "adoptions", 0) + 1;
}

static int read_environ(struct daemon *d, const struct keep_msg *m)
{
    bool made;
    environ_intern(&d->world.environs, m->blob, m->head.blob_len, &made)->refs =
        0; /* its apps count themselves */
    return 0;
}

static int read_app(struct daemon *d, const struct keep_msg *m)
{
    struct app *a;
    struct err e;
    if (entry_read_app(&d->world, m->blob, m->head.blob_len, &a, &e) < 0) {
        log_error("entry %s: %s", m->key, e.text);
        return -1;
    }
    return 0;
}

/* A wait status that came with the entry is fed once everything is there. */
struct missed {
    struct link link;
    int64_t id;
    int status;
};
static struct link missed_exits;

static int read_instance(struct daemon *d, const struct keep_msg *m)
{
    struct instance *in;
    struct err e;
    if (entry_read_instance(&d->world, m->blob, m->head.blob_len, m->head.pid, m->fds, m->head.n_fds, &in,
                            &e) < 0) {
        log_error("entry %s: %s", m->key, e.text);
        return -1;
    }
    d->world.seq = MAX(d->world.seq, in->seq);
    if (in->pid && (m->head.flags & KEEP_HAS_STATUS)) {
        struct missed *x = xnew(struct missed);
        x->id = in->id;
        x->status = m->head.status;
        list_append(&missed_exits, &x->link);
    }
    return 0;
}

static int read_sock(struct daemon *d, const struct keep_msg *m)
{
    d->sock = m->head.n_fds ? m->fds[0] : -1;
    return 0;
}

static int read_notify(struct daemon *d, const struct keep_msg *m)
{
    d->world.notify = m->head.n_fds ? m->fds[0] : -1;
    return 0;
}

static int read_lock(struct daemon *d, const struct keep_msg *m)
{
    d->lock = m->head.n_fds ? m->fds[0] : -1;
    return 0;
}

static int read_daemon_entry(struct daemon *d, const struct keep_msg *m)
{
    read_daemon(d, m);
    return 0;
}

/* In the order they must be read. */
static const struct {
    const char *prefix;
    int (*read)(struct daemon *d, const struct keep_msg *m);
} kinds[] = {
    { "lock", read_lock },           { "sock", read_sock },    { "notify", read_notify },
    { "daemon", read_daemon_entry }, { "env/", read_environ }, { "app/", read_app },
    { "in/", read_instance },
};

int adopt(struct daemon *d)
{
    struct link all;
    struct keep_msg m;
    int r;
    list_init(&all);
    list_init(&missed_exits);
    while ((r = keeper_link_next_entry(d->world.keeper, &m, &d->world.keeper_pid)) > 0)
        list_append(&all, &kept_new(&m)->link);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        list_each_safe (l, &all) {
            struct kept *k = container_of(l, struct kept, link);
            if (!text_starts(k->m.key, kinds[i].prefix))
                continue;
            kinds[i].read(d, &k->m);
            list_remove(&k->link);
            free(k->m.blob);
            free(k);
        }
    }
    list_each_safe (l, &all) {
        struct kept *k = container_of(l, struct kept, link);
        log_warn("entry %s: of another version, left alone", k->m.key);
        for (size_t i = 0; i < k->m.head.n_fds; i++)
            close(k->m.fds[i]);
        free(k->m.blob);
        free(k);
    }
    return r;
}

/* An app that was half made has the instances it lacks (the client asks again and starts it); one that was
 * half deleted goes. */
static void resume_app(struct app *a)
{
    if (a->removing && a->n == 0) {
        app_forget(a);
        return;
    }
    if (a->is_new && !a->removing)
        app_grow(a, app_instances_wanted(a->spec));
    for (size_t i = a->n; i-- > 0;)
        if (a->removing)
            instance_close(a->instances[i]);
        else
            instance_resume(a->instances[i]);
}

void adopt_resume(struct daemon *d)
{
    struct world *w = &d->world;
    while (!list_empty(&missed_exits)) {
        struct missed *x = container_of(missed_exits.next, struct missed, link);
        struct instance *in = world_instance(w, x->id);
        struct exit_status status = exit_status_of(x->status);
        list_remove(&x->link);
        fd_done(&in->kept_pidfd);
        instance_exited(in, &status);
        free(x);
    }
    list_each_safe (l, &w->apps)
        resume_app(container_of(l, struct app, link));
}

/* All entries as they are now, into a file that survives execve(2). */
static int write_entries(struct daemon *d, struct keep_file *f)
{
    struct keep_head h = { .type = KEEP_PUT, .key_len = 4, .n_fds = 1 };
    struct world *w = &d->world;
    int failed = keep_file_add(f, &h, "lock", "", &d->lock) | keep_file_add(f, &h, "sock", "", &d->sock);
    struct buf none = { .data = "" };
    if (w->notify >= 0)
        failed |= entry_add_to_file(f, "notify", 0, &none, &w->notify, 1);
    own_buf blob = { 0 };
    failed |= entry_add_to_file(f, "daemon", 0, (entry_of_world(w, &blob), &blob), NULL, 0);
    list_each (l, &w->environs) {
        struct environ_blob *b = container_of(l, struct environ_blob, link);
        struct buf text = { .data = b->data, .len = b->len };
        char key[KEEP_KEY_MOST];
        entry_environ_key(b, key);
        failed |= entry_add_to_file(f, key, 0, &text, NULL, 0);
    }
    list_each (l, &w->apps) {
        struct app *a = container_of(l, struct app, link);
        char key[KEEP_KEY_MOST];
        buf_clear(&blob);
        entry_of_app(a, key, &blob);
        failed |= entry_add_to_file(f, key, 0, &blob, NULL, 0);
        for (size_t i = 0; i < a->n; i++) {
            int fds[KEEP_FDS_MOST];
            buf_clear(&blob);
            size_t n = entry_of_instance(a->instances[i], key, &blob, fds);
            failed |= entry_add_to_file(f, key, a->instances[i]->pid, &blob, fds, n);
        }
    }
    return failed;
}

void become_keeper(struct daemon *d)
{
    struct keep_file f;
    char fd_text[16], nofile[24];
    if (keep_file_new(&f) < 0 || write_entries(d, &f) != 0) {
        log_error("the keeper is dead and its place cannot be taken: %s; going on without", strerror(errno));
        return;
    }
    log_warn("the keeper is dead: becoming the keeper");
    snprintf(fd_text, sizeof(fd_text), "%d", f.fd);
    snprintf(nofile, sizeof(nofile), "%ld", d->world.app_nofile);
    execl(d->keeper_program, d->keeper_program, "--home", d->home, "--resume-fd", fd_text, "--nofile", nofile,
          (char *)NULL);
    log_error("exec %s: %s; going on without a keeper", d->keeper_program, strerror(errno));
    close(f.fd);
}
