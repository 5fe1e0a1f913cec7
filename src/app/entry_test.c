/* Each member an entry can have is known when it is read; what is not known is handed on. */
#include "app/entry.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/shared.h"
#include "base/unit.h"

static void ignore(void *arg)
{
}

static uv_loop_t loop;
static struct world world;

static void world_open(int ledger)
{
    static const struct keeper_link_events events = { .drained = ignore, .gone = ignore };
    struct err e;
    int pair[2];
    check_int(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    close(pair[1]);
    memset(&world, 0, sizeof(world));
    uv_loop_init(&loop);
    check_int(world_init(&world, &loop, "/home/of/velos", &e), 0);
    world.keeper = keeper_link_new(&loop, pair[0], &events, NULL);
    world.ledger_fd = dup(ledger);
    check_int(ledger_open(world.ledger_fd, &world.ledger, &e), 0);
}

static void world_close(void)
{
    world_done(&world);
    world.keeper = keeper_link_free(world.keeper);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

static char *text_of(const char *key)
{
    for (size_t i = 0; i < ledger_len(world.ledger); i++) {
        struct ledger_entry e;
        if (ledger_read(world.ledger, i, &e) && strcmp(e.key, key) == 0)
            return xstrdup(e.text);
    }
    return NULL;
}

static void fill(struct instance *in)
{
    const struct exit_status x = { .known = true, .code = 3 };
    in->life = LIFE_STOPPING;
    in->cause = CAUSE_CRON;
    in->reason = xstrdup("why");
    in->deadline = in->forced_at = in->started_wall = in->started_mono = in->seq = 7;
    in->signalled = in->forced = in->commanded = in->has_exited = in->end_untold = true;
    in->last_pid = 9;
    in->uid = 12;
    in->dirty = true;
    in->memory = (struct policy_memory){ .unstable = 1, .backoff = 2 };
    in->restarts = 4;
    in->counters[CAUSE_EXIT] = 4;
    in->last_exit = x;
    in->lives = xcalloc(1, sizeof(*in->lives));
    in->lives[0] = (struct past_life){ .started = 1, .ended = 2, .cause = CAUSE_EXIT, .exit = x };
    in->n_lives = 1;
    in->dropped[OUTLET_OUT] = 5;
    shared_set(&in->interpreter, "node");
    shared_set(&in->exec, "/usr/bin/node");
    shared_set(&in->token, "t");
    in->status_text = xstrdup("busy");
    in->pid = getpid(); /* alive, not ours to watch */
    in->start = 5;
}

static void make_full(void)
{
    struct err e;
    own_json o = NULL;
    struct app_spec *spec = NULL;
    static const char text[] = "{\"name\":\"a\",\"script\":\"/bin/a\",\"cwd\":\"/\",\"cron_restart\":\"0 4 * "
                               "* *\",\"max_restarts\":3}";
    const char *const env[] = { "A=1", NULL };
    const struct app_origin origin = { .env = (char *const *)env, .umask = 022, .nofile = 100, .token = "t" };
    check_int(json_parse(text, strlen(text), &o, &e), 0);
    check_int(keys_read_json(o, false, &spec, &e), 0);
    struct app *a = app_new(&world, spec, &origin);
    a->removing = true;
    fill(a->instances[0]);
    entry_put_instance(a->instances[0]);
    a->instances[0]->pid = 0;
    entry_put_app(a);
    world.update = xstrdup("t");
    world.adoptions = 1;
    entry_put_world(&world);
}

static void read_back(void)
{
    struct err e;
    struct app *a = NULL;
    struct instance *in = NULL;
    struct ledger_entry from;
    for (size_t i = 0; i < ledger_len(world.ledger); i++) {
        if (!ledger_read(world.ledger, i, &from))
            continue;
        if (strcmp(from.key, "daemon") == 0)
            check_int(entry_read_world(&world, &from, (int)i, &e), 0);
        if (text_starts(from.key, "app/"))
            check_int(entry_read_app(&world, &from, (int)i, &a, &e), 0);
    }
    for (size_t i = 0; i < ledger_len(world.ledger); i++)
        if (ledger_read(world.ledger, i, &from) && text_starts(from.key, "in/"))
            check_int(entry_read_instance(&world, &from, (int)i, &in, &e), 0);
    check(a && in);
}

static void put_all(void)
{
    struct app *a = container_of(world.apps.next, struct app, link);
    entry_put_world(&world);
    entry_put_app(a);
    entry_put_instance(a->instances[0]);
}

static const char *const keys_of[] = { "daemon", "app/a", "in/0" };

TEST(each_member_is_known)
{
    int ledger = ledger_file();
    world_open(ledger);
    make_full();
    world_close();
    world_open(ledger);
    read_back();
    struct app *a = container_of(world.apps.next, struct app, link);
    check(!world.unknown);
    check(!a->unknown);
    check(!a->instances[0]->unknown);
    a->instances[0]->pid = 0;
    world_close();
    close(ledger);
}

TEST(what_is_not_known_is_handed_on)
{
    int ledger = ledger_file();
    world_open(ledger);
    make_full();
    for (size_t i = 0; i < ARRAY_LEN(keys_of); i++) {
        own_text text = text_of(keys_of[i]);
        text[strlen(text) - 1] = '\0';
        own_text more = xasprintf("%s,\"later\":{\"n\":[1,\"%s\"]}}", text, keys_of[i]);
        for (size_t k = 0; k < ledger_len(world.ledger); k++) {
            struct ledger_entry e;
            int slot = (int)k;
            if (ledger_read(world.ledger, k, &e) && strcmp(e.key, keys_of[i]) == 0) {
                check_int(ledger_put(world.ledger, &slot, keys_of[i], 0, more, strlen(more)), 0);
                break;
            }
        }
    }
    world_close();
    for (int times = 0; times < 2; times++) {
        world_open(ledger);
        read_back();
        put_all();
        for (size_t i = 0; i < ARRAY_LEN(keys_of); i++) {
            own_text text = text_of(keys_of[i]);
            own_text want = xasprintf(",\"later\":{\"n\":[1,\"%s\"]}}", keys_of[i]);
            check(text_ends(text, want));
        }
        world_close();
    }
    close(ledger);
}

UNIT_MAIN()
