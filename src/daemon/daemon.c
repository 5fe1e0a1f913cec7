#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "app/entry.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scribe.h"
#include "base/time.h"
#include "daemon/state.h"
#include "os/fds.h"
#include "os/heap.h"
#include "os/self.h"
#include "os/subreaper.h"
#include "os/unixsock.h"

enum { FAREWELL_MS = 5000, TRIM_MS = 200, LAST_LINES_MS = 1000 };

/* What the world tells. */

static void on_change(void *arg, const struct change *c)
{
    struct daemon *d = arg;
    conn_publish(d, events_add(&d->events, c));
}

/* What the keeper tells. */

static struct instance *instance_of_key(struct daemon *d, const char *key)
{
    return text_starts(key, "in/") ? world_instance(&d->world, strtoll(key + 3, NULL, 10)) : NULL;
}

static void on_exited(void *arg, const char *key, pid_t pid, int status)
{
    struct daemon *d = arg;
    struct instance *in = instance_of_key(d, key);
    struct exit_status x = exit_status_of(status);
    if (in && in->pid == pid)
        instance_exited(in, &x);
}

static void on_drained(void *arg)
{
    struct daemon *d = arg;
    world_work(&d->world);
    world_wake(&d->world);
}

/* Not in the middle of an adoption: what is not resumed yet would not be handed on whole. */
static void on_keeper_gone(void *arg)
{
    struct daemon *d = arg;
    d->orphaned = true;
    if (d->up)
        become_keeper(d);
}

/* The keeper has become another version: its file is to be ours if we must become it. */
static void on_entry(void *arg, const struct keep_msg *m)
{
    adopt_keep(arg, m);
}

static const struct keeper_link_events keeper_events = { on_exited, on_entry, on_drained, on_keeper_gone };

/* Beginning. */

static int open_socket(struct daemon *d, struct err *e)
{
    if (d->sock >= 0)
        return 0;
    d->sock = os_unix_listen(d->home, PROTO_SOCKET, 1024, e);
    if (d->sock < 0)
        return -1;
    keeper_link_put(d->world.keeper, "sock", &d->sock, 1);
    return 0;
}

/* A home's first daemon makes up the mark that its instances carry. */
static void christen(struct world *w)
{
    uint64_t number = 0;
    if (w->nonce[0])
        return;
    if (getentropy(&number, sizeof(number)) < 0)
        number = (uint64_t)time_wall_ms() << 20 ^ (uint64_t)getpid();
    snprintf(w->nonce, sizeof(w->nonce), "%016llx", (unsigned long long)number);
    w->started = time_wall_ms();
}

static void say_ready(int fd, const char *text)
{
    if (fd < 0)
        return;
    if (write(fd, text, strlen(text)) < 0) {
        /* whoever started us is gone */
    }
    close(fd);
}

/* A service manager gives up on us after a while; the apps have the time their settings say. */
void daemon_ask_time(struct daemon *d)
{
    enum { MARGIN_MS = 15000 };
    const struct world *w = &d->world;
    int64_t longest = 0;
    list_each (l, &w->apps)
        longest = MAX(longest, container_of(l, struct app, link)->spec->kill_timeout);
    if (w->settings->stop_concurrency)
        longest *= 1 + (int64_t)w->n_apps / w->settings->stop_concurrency;
    keeper_link_ask_time(w->keeper, longest + MARGIN_MS);
}

static void on_terminate(uv_signal_t *s, int signum)
{
    struct daemon *d = s->data;
    if (d->ending)
        return;
    log_info("signal %d: stopping all apps", signum);
    daemon_stop_all(d, op_new_silent(d));
}

static void catch_signals(struct daemon *d)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a log as long as a limit of ours is a write that fails */
    uv_signal_init(&d->loop, &d->term);
    uv_signal_init(&d->loop, &d->interrupt);
    d->term.data = d->interrupt.data = d;
    uv_signal_start(&d->term, on_terminate, SIGTERM);
    uv_signal_start(&d->interrupt, on_terminate, SIGINT);
}

static char *program_beside_us(const char *name)
{
    own_text self = os_self_path();
    own_text dir = path_dir(self ? self : "");
    return path_join(dir, name);
}

/* A trim is 0.1 ms with 100 apps, and the next large answer takes its pages anew: not for each of them. */

static void on_trim_due(uv_timer_t *t)
{
    os_heap_trim();
}

void daemon_trim_soon(struct daemon *d)
{
    if (!uv_is_active((uv_handle_t *)&d->trim_due))
        uv_timer_start(&d->trim_due, on_trim_due, TRIM_MS, 0);
}

/* Ending. */

static void on_farewell(uv_timer_t *t)
{
    struct daemon *d = container_of(t, struct daemon, farewell);
    uv_stop(&d->loop);
}

/* Answers were handed to the kernel by uv_write at once, or wait for a client that does not read: those get a
 * short while. */
void daemon_leave(struct daemon *d, enum keep_type word)
{
    bool waiting = false;
    d->last_word = word;
    keeper_link_say(d->world.keeper, word);
    fault_point("leave.said");
    list_each (l, &d->conns)
        waiting |=
            uv_stream_get_write_queue_size((uv_stream_t *)&container_of(l, struct conn, link)->pipe) > 0;
    uv_timer_start(&d->farewell, on_farewell, waiting ? 1000 : 0, 0);
}

static void remove_sockets(const struct daemon *d)
{
    own_text path = path_join(d->home, PROTO_SOCKET);
    unlink(path);
    const struct door *door = &d->world.doors[DOOR_HOME];
    if (door->fd >= 0 && door->address[0] == '/')
        unlink(door->address);
}

static void close_all(struct daemon *d)
{
    fault_point("leave.ending");
    keeper_link_flush(d->world.keeper);
    if (d->last_word == KEEP_BYE)
        remove_sockets(d);
    conn_close_all(d);
    uv_close((uv_handle_t *)&d->listener, NULL);
    uv_close((uv_handle_t *)&d->term, NULL);
    uv_close((uv_handle_t *)&d->interrupt, NULL);
    uv_close((uv_handle_t *)&d->farewell, NULL);
    uv_close((uv_handle_t *)&d->save_due, NULL);
    uv_close((uv_handle_t *)&d->progress_due, NULL);
    uv_close((uv_handle_t *)&d->trim_due, NULL);
    d->world.pump = pump_free(d->world.pump);
    world_done(&d->world);
    log_works_free(d);
    sends_free(d);
    d->world.keeper = keeper_link_free(d->world.keeper);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_loop_close(&d->loop);
    events_done(&d->events);
    adopt_done(d);
    free(d->keeper_program);
    close(d->sock);
    close(d->lock);
}

/* Descriptors of a daemon without apps, and some more: what there must be before libuv is asked, which takes
 * some as given. */
enum { FDS_TO_BEGIN = 48 };

static int begin(struct daemon *d, const struct daemon_options *o, struct err *e)
{
    long limit = os_fds_limit(), open = os_fds_open();
    if (open < 0 || limit - open < FDS_TO_BEGIN) {
        err_set(e, ERR_LIMIT, "descriptors: the limit of %ld leaves no room to begin", limit);
        return err_hint(e, "ulimit -n %d, or LimitNOFILE= in the service's unit", 1024);
    }

    events_init(&d->events);
    d->home = o->home;
    d->sock = d->lock = -1;
    d->last_word = KEEP_LEAVE;
    d->started_mono = time_mono_ms();
    d->keeper_program = program_beside_us("velos-keeper");
    list_init(&d->conns);
    list_init(&d->ops);
    list_init(&d->kept);
    d->update_failed = o->update_failed;
    list_init(&d->log_works);
    list_init(&d->sends);
    int r = uv_loop_init(&d->loop);
    if (r < 0)
        return err_set(e, ERR_FAILED, "event loop: %s", uv_strerror(r));
    uv_timer_init(&d->loop, &d->farewell);
    uv_timer_init(&d->loop, &d->save_due);
    uv_timer_init(&d->loop, &d->progress_due);
    uv_timer_init(&d->loop, &d->trim_due);
    if (world_init(&d->world, &d->loop, o->home, e) < 0)
        return -1;
    d->world.app_nofile = o->nofile;
    d->world.changed = on_change;
    d->world.advance = op_advance;
    d->world.log_done = log_work_done;
    d->world.arg = d;
    d->world.keeper = keeper_link_new(&d->loop, o->keeper_fd, &keeper_events, d);
    d->world.pump = pump_new(&d->loop, outlet_told, &d->world);
    return d->world.pump ? 0 : err_sys(e, "log writer");
}

/* Before the loop runs. Whoever starts us hears why, and the keeper is to end unless it has apps for the next
 * of us: then it tries again, later and later. */
static int give_up(const struct daemon_options *o, const struct err *e)
{
    const struct keep_head bye = { .type = KEEP_BYE };
    own_text text = xasprintf("%s\n", e->text);
    log_error("%s", e->text);
    if (o->ready_fd >= 0)
        keep_send(o->keeper_fd, &bye, "", NULL);
    say_ready(o->ready_fd, text);
    return 1;
}

enum { EXPECTED_FDS = 4096 }; /* 500 apps; 32 KiB of the kernel's memory */

static void on_booted(struct daemon *d, size_t count)
{
    ledger_delete(d->world.ledger, &d->world.boot_slot);
    keeper_link_say(d->world.keeper, KEEP_READY);
    log_info("the saved apps are started: %zu", count);
}

int daemon_run(const struct daemon_options *o)
{
    static struct daemon d; /* outlives the way out after an error: what it holds goes with the process */
    struct err e;
    os_heap_share(); /* two threads that hardly meet in malloc */
    os_fds_raise_limit();
    os_fds_reserve(EXPECTED_FDS);
    os_subreaper();
    if (begin(&d, o, &e) < 0)
        return give_up(o, &e);
    catch_signals(&d);
    int adopted = adopt(&d);
    if (adopted == ADOPT_SHORT) {
        log_error("descriptors: %ld are not enough to take over what the keeper has", os_fds_limit());
        return 1;
    }
    d.orphaned = adopted < 0;
    if (!d.world.ledger) {
        log_error("the keeper gave no ledger");
        say_ready(o->ready_fd, "the keeper gave no ledger\n");
        return 1;
    }
    if (d.unread && o->trial) {
        log_error("%d texts of the version before cannot be read: it is to go on", d.unread);
        return 1;
    }
    christen(&d.world);
    if (open_socket(&d, &e) < 0 || conn_listen(&d, &e) < 0) {
        own_text text = xasprintf("%s\n", e.text);
        log_error("%s", e.text);
        keeper_link_say(d.world.keeper, d.world.n_apps ? KEEP_LEAVE : KEEP_BYE);
        say_ready(o->ready_fd, text);
        return 1;
    }
    fault_point("adopt.read");
    say_ready(o->ready_fd, "ok\n"); /* whoever connects now waits in the backlog while we finish */
    world_put(&d.world);
    world_resume_notify(&d.world);
    fault_point("adopt.listening");
    adopt_resume(&d);
    fault_point("adopt.resumed");
    keeper_link_listen(d.world.keeper);
    world_run(&d.world);
    keeper_link_say(d.world.keeper, KEEP_UP);
    fault_point("adopt.up");
    log_info("velosd is up: home %s, %zu apps, keeper %d", d.home, d.world.n_apps, (int)d.world.keeper_pid);
    log_divert(scribe_take);
    d.up = true;
    if (d.orphaned)
        become_keeper(&d);
    if (d.world.boot_slot >= 0)
        state_boot(&d, on_booted);
    else
        keeper_link_say(d.world.keeper, KEEP_READY);
    if (d.world.adoptions)
        state_changed(&d); /* the daemon before us may have died with something unsaved */
    uv_run(&d.loop, UV_RUN_DEFAULT);
    log_info("velosd ends");
    close_all(&d);
    scribe_end(LAST_LINES_MS);
    return 0;
}
