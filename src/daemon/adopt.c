/* Taking over from the velosd before us, and becoming the keeper when that one dies. Both speak entries. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/entry.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "os/exec.h"

/* What the keeper gave: descriptors of instances are taken when the texts are read; what is nobody's here
 * (the keeper's own, and those of another version) stays in daemon.kept, for the day we become the keeper. */
struct kept {
    struct link link;
    struct keep_msg m;
};

static void kept_free(struct kept *k)
{
    list_remove(&k->link);
    for (size_t i = 0; i < k->m.head.n_fds; i++)
        close(k->m.fds[i]);
    free(k);
}

static struct kept *kept_find(const struct daemon *d, const char *key)
{
    list_each (l, &d->kept) {
        struct kept *k = container_of(l, struct kept, link);
        if (strcmp(k->m.key, key) == 0)
            return k;
    }
    return NULL;
}

void adopt_keep(struct daemon *d, const struct keep_msg *m)
{
    struct kept *before = kept_find(d, m->key), *k = xnew(struct kept);
    if (before)
        kept_free(before);
    k->m = *m;
    list_append(&d->kept, &k->link);
}

void adopt_done(struct daemon *d)
{
    list_each_safe (l, &d->kept)
        kept_free(container_of(l, struct kept, link));
}

static int *place_of(struct daemon *d, const char *key)
{
    const struct {
        const char *key;
        int *fd;
    } places[] = {
        { "lock", &d->lock },
        { "sock", &d->sock },
        { "notify", &d->world.doors[DOOR_HOME].fd },
        { "notify-users", &d->world.doors[DOOR_USERS].fd },
        { "ledger", &d->world.ledger_fd },
    };
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (strcmp(key, places[i].key) == 0)
            return places[i].fd;
    return NULL;
}

static int receive(struct daemon *d, struct link *rest)
{
    struct keep_msg m;
    int r;
    while ((r = keeper_link_next_entry(d->world.keeper, &m, &d->world.keeper_pid)) > 0) {
        int *place = m.head.n_fds == 1 ? place_of(d, m.key) : NULL;
        if (place) {
            *place = m.fds[0];
            continue;
        }
        if (strcmp(m.key, "transit") == 0 && m.head.n_fds == TRANSIT_FDS) {
            outlet_adopt_transit(&d->world, m.fds);
            continue;
        }
        struct kept *k = xnew(struct kept);
        k->m = m;
        list_append(rest, &k->link);
    }
    return r;
}

/* Of an instance whose text is there and could not be read: not ours to drop. */
static bool is_riddle(const struct world *w, const char *key)
{
    own_text text = xasprintf("in/%s", key + 3);
    return !world_instance(w, strtoll(key + 3, NULL, 10)) && ledger_has(w->ledger, text);
}

static void take_rest(struct daemon *d, struct link *rest)
{
    list_each_safe (l, rest) {
        struct kept *k = container_of(l, struct kept, link);
        list_remove(&k->link);
        if (d->world.ledger && entry_is_fds(k->m.key) && !is_riddle(&d->world, k->m.key))
            entry_take_fds(&d->world, k->m.key, k->m.fds, k->m.head.n_fds);
        else
            adopt_keep(d, &k->m);
        free(k);
    }
}

static int read_environ(struct world *w, const struct ledger_entry *from, int slot, struct err *e)
{
    bool made;
    struct environ_blob *b = environ_intern(&w->environs, from->text, from->len, &made);
    b->refs = 0; /* its apps count themselves */
    b->slot = slot;
    return 0;
}

static int read_app(struct world *w, const struct ledger_entry *from, int slot, struct err *e)
{
    struct app *a;
    return entry_read_app(w, from, slot, &a, e);
}

/* How a child ended that the ledger knows about is fed once everything is there. */
struct missed {
    struct link link;
    int64_t id;
    int status;
};
static struct link missed_exits;

/* Its app was about to be brought back (saved.c), or has just gone: it is of no use to any version. */
static bool is_of_no_app(const struct world *w, const struct ledger_entry *from)
{
    own_json o = json_loads(from->text, 0, NULL);
    own_text key = xasprintf("app/%s", json_get_str(o, "app", ""));
    return o && !ledger_has(w->ledger, key);
}

static int read_instance(struct world *w, const struct ledger_entry *from, int slot, struct err *e)
{
    struct instance *in;
    if (entry_read_instance(w, from, slot, &in, e) < 0) {
        if (!is_of_no_app(w, from))
            return -1;
        ledger_delete(w->ledger, &slot);
        return 0;
    }
    w->seq = MAX(w->seq, in->seq);
    if (from->ended) {
        struct missed *x = xnew(struct missed);
        x->id = in->id;
        x->status = from->status;
        list_append(&missed_exits, &x->link);
    }
    return 0;
}

static int read_settings(struct world *w, const struct ledger_entry *from, int slot, struct err *e)
{
    own_json o = NULL;
    struct settings *s;
    w->settings_slot = slot;
    if (json_parse(from->text, from->len, &o, e) < 0 || settings_read_json(o, &s, e) < 0)
        return -1;
    settings_free(w->settings);
    w->settings = s;
    return 0;
}

static int read_boot(struct world *w, const struct ledger_entry *from, int slot, struct err *e)
{
    w->boot_slot = slot;
    return 0;
}

/* In the order they must be read: instances need their app, apps their environment. */
static const struct {
    const char *prefix;
    int (*read)(struct world *w, const struct ledger_entry *from, int slot, struct err *e);
} kinds[] = {
    { LEDGER_SETTINGS, read_settings }, { LEDGER_BOOT, read_boot }, { "daemon", entry_read_world },
    { "env/", read_environ },           { "app/", read_app },       { "in/", read_instance },
};

/* How many texts could not be read. */
static int read_ledger(struct world *w)
{
    struct err e;
    int failed = 0;
    if (ledger_open(w->ledger_fd, &w->ledger, &e) < 0) {
        log_error("%s", e.text);
        return 1;
    }
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        for (size_t i = 0; i < ledger_len(w->ledger); i++) {
            struct ledger_entry from;
            if (ledger_read(w->ledger, i, &from) && text_starts(from.key, kinds[k].prefix) &&
                kinds[k].read(w, &from, (int)i, &e) < 0) {
                log_error("ledger: %s: %s", from.key, e.text);
                failed++;
            }
        }
    return failed;
}

static int by_index(const void *a, const void *b)
{
    const struct instance *x = *(struct instance *const *)a, *y = *(struct instance *const *)b;
    return (x->index > y->index) - (x->index < y->index);
}

static int by_first_id(const void *a, const void *b)
{
    const struct app *x = *(struct app *const *)a, *y = *(struct app *const *)b;
    int64_t i = x->n ? x->instances[0]->id : INT64_MAX, k = y->n ? y->instances[0]->id : INT64_MAX;
    return (i > k) - (i < k);
}

/* Slots that were free are used again: their order says nothing. */
static void put_in_order(struct world *w)
{
    struct app **apps = xcalloc(w->n_apps + 1, sizeof(*apps));
    size_t n = 0;
    while (!list_empty(&w->apps)) {
        struct app *a = container_of(w->apps.next, struct app, link);
        list_remove(&a->link);
        if (a->n)
            qsort(a->instances, a->n, sizeof(struct instance *), by_index);
        apps[n++] = a;
    }
    qsort(apps, n, sizeof(*apps), by_first_id);
    for (size_t i = 0; i < n; i++)
        list_append(&w->apps, &apps[i]->link);
    free(apps);
}

static void drop_unused_environs(struct world *w)
{
    list_each_safe (l, &w->environs) {
        struct environ_blob *b = container_of(l, struct environ_blob, link);
        if (b->refs > 0)
            continue;
        entry_forget_environ(w, b);
        environ_unref(b);
    }
}

int adopt(struct daemon *d)
{
    struct link rest;
    list_init(&rest);
    list_init(&missed_exits);
    int r = receive(d, &rest);
    if (r == KEEPER_LINK_SHORT)
        return ADOPT_SHORT;
    fault_point("adopt.received");
    if (d->world.ledger_fd >= 0) {
        d->unread = read_ledger(&d->world);
        d->world.unread = d->unread;
        put_in_order(&d->world);
        if (!d->unread)
            drop_unused_environs(&d->world);
    }
    take_rest(d, &rest);
    pump_begin(d->world.pump);
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

/* All descriptors that are kept, into a file that survives execve(2). */
static int write_entries(struct daemon *d, struct keep_file *f)
{
    struct world *w = &d->world;
    int failed = keep_file_add(f, "ledger", &w->ledger_fd, 1) | keep_file_add(f, "lock", &d->lock, 1) |
                 keep_file_add(f, "sock", &d->sock, 1);
    if (w->doors[DOOR_HOME].fd >= 0)
        failed |= keep_file_add(f, "notify", &w->doors[DOOR_HOME].fd, 1);
    if (w->doors[DOOR_USERS].fd >= 0)
        failed |= keep_file_add(f, "notify-users", &w->doors[DOOR_USERS].fd, 1);
    list_each (l, &d->kept) {
        const struct keep_msg *m = &container_of(l, struct kept, link)->m;
        failed |= keep_file_add(f, m->key, m->fds, m->head.n_fds);
    }
    if (w->transit[0] >= 0)
        failed |= keep_file_add(f, "transit", w->transit, TRANSIT_FDS);
    list_each (l, &w->apps) {
        const struct app *a = container_of(l, struct app, link);
        for (size_t i = 0; i < a->n; i++)
            failed |= entry_add_all_fds(a->instances[i], f);
    }
    return failed;
}

void become_keeper(struct daemon *d)
{
    struct keep_file f;
    char fd_text[16], nofile[24];
    fault_point("heir.begin");
    if (keep_file_new(&f) < 0 || write_entries(d, &f) != 0) {
        log_error("the keeper is dead and its place cannot be taken: %s; going on without", strerror(errno));
        return;
    }
    log_warn("the keeper is dead: becoming the keeper");
    snprintf(fd_text, sizeof(fd_text), "%d", f.fd);
    snprintf(nofile, sizeof(nofile), "%ld", d->world.app_nofile);
    const struct kept *file = kept_find(d, KEEP_EXE_KEEPER);
    char *argv[] = { d->keeper_program, "--home",   (char *)d->home, "--resume-fd",
                     fd_text,           "--nofile", nofile,          NULL };
    os_exec(file ? file->m.fds[0] : -1, d->keeper_program, argv);
    if (file) /* where a file cannot be executed without its name */
        os_exec(-1, d->keeper_program, argv);
    log_error("exec %s: %s; going on without a keeper", d->keeper_program, strerror(errno));
    close(f.fd);
}
