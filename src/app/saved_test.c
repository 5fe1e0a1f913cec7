#include "app/saved.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unit.h"

/* What is put goes to a keeper that is gone. */
static void ignore(void *arg)
{
}

static uv_loop_t loop;
static struct world world;

static void world_open(void)
{
    static const struct keeper_link_events events = { .drained = ignore, .gone = ignore };
    int pair[2];
    struct err e;
    check_int(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    close(pair[1]);
    memset(&world, 0, sizeof(world));
    uv_loop_init(&loop);
    check_int(world_init(&world, &loop, "/home/of/velos", &e), 0);
    world.keeper = keeper_link_new(&loop, pair[0], &events, NULL);
    world.ledger_fd = ledger_file();
    check_int(ledger_open(world.ledger_fd, &world.ledger, &e), 0);
}

static void world_close(void)
{
    world_done(&world);
    world.keeper = keeper_link_free(world.keeper);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

static char *written(void)
{
    own_buf b = { 0 };
    saved_write(&world, &b);
    return buf_steal(&b);
}

/* From where the list of apps begins: not when it was saved. */
static const char *apps_of(const char *text)
{
    const char *apps = strstr(text, "\"apps\"");
    check(apps != NULL);
    return apps;
}

static void restore(const char *text, int want)
{
    struct err e;
    own_json saved = NULL;
    check_int(saved_parse(text, strlen(text), &saved, &e), 0);
    saved_begin(&world, saved);
    for (size_t i = 0; i < saved_len(saved); i++) {
        struct app *a = NULL;
        check_int(saved_restore(&world, saved, i, false, &a, &e), want);
        check(want < 0 || text_equal(a->spec->name, saved_name(saved, i)));
    }
}

/* What stands in a file reads back as the same, byte for byte. */
static const char *const whole[] = {
    "\"apps\":[],\n\"environs\":{}}\n",
    "\"apps\":[\n"
    "{\"created\":1,\"umask\":18,\"nofile\":1024,\"environ\":\"7acecd4d228a48fd\",\"spec\":{\"script\":\"a."
    "js\",\"name\":\"a\","
    "\"cwd\":\"/srv\",\"env\":{\"API_KEY\":\"x\"},\"max_restarts\":3,\"later_key\":[1,2]},\"instances\":[\n"
    "{\"id\":3,\"index\":0,\"status\":\"running\",\"started_wall\":5,\"started_mono\":6,\"restarts\":2,"
    "\"counters\":{\"exit\":2},"
    "\"exit\":[true,1,0,false],\"lives\":[[1,2,3,\"exit\",[true,1,0,false]]]}]},\n"
    "{\"created\":2,\"umask\":0,\"nofile\":0,\"environ\":\"7acecd4d228a48fd\",\"spec\":{\"script\":\"b\","
    "\"name\":\"b\","
    "\"cwd\":\"/\",\"instances\":2},\"instances\":[\n"
    "{\"id\":7,\"index\":0,\"status\":\"errored\",\"cause\":\"exit\",\"reason\":\"exit code 1, 15 "
    "times\",\"unstable\":15},\n"
    "{\"id\":9,\"index\":1,\"status\":\"stopped\"}]}],\n"
    "\"environs\":{\n\"7acecd4d228a48fd\":[\"A=1\",\"B=2\"]}}\n",
};

TEST(round_trip)
{
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        check_row(i);
        world_open();
        own_text text = xasprintf("{\"velos_state\":1,\"next_id\":12,\n%s", whole[i]);
        restore(text, 1);
        own_text once = written();
        check_text(apps_of(once), whole[i]);
        check_contains(once, "\"next_id\":12,");
        restore(once, 0); /* all there already */
        own_text twice = written();
        check_text(apps_of(twice), whole[i]);
        world_close();
    }
}

TEST(an_id_that_is_taken_stays_with_its_owner)
{
    world_open();
    restore("{\"velos_state\":1,\"next_id\":1,\"environs\":{},\"apps\":[{\"spec\":{\"name\":\"x\",\"script\":"
            "\"x\",\"cwd\":\"/\"},"
            "\"instances\":[{\"id\":0,\"status\":\"stopped\"}]}]}",
            1);
    restore("{\"velos_state\":1,\"next_id\":1,\"environs\":{},\"apps\":[{\"spec\":{\"name\":\"y\",\"script\":"
            "\"y\",\"cwd\":\"/\"},"
            "\"instances\":[{\"id\":0,\"status\":\"running\"}]}]}",
            1);
    check_text(world_instance(&world, 0)->app->spec->name, "x");
    check_int(world_instance(&world, 0)->life, LIFE_STOPPED);
    check_text(world_instance(&world, 1)->app->spec->name, "y");
    check_int(world_instance(&world, 1)->life, LIFE_WAITING);
    world_close();
}

TEST(an_app_without_instances_gets_those_its_settings_want)
{
    world_open();
    restore("{\"velos_state\":1,\"environs\":{},\"apps\":[{\"spec\":{\"name\":\"x\",\"script\":\"x\",\"cwd\":"
            "\"/\",\"instances\":2},"
            "\"instances\":[]}]}",
            1);
    check_int(world.n_instances, 2);
    world_close();
}

TEST(an_app_that_cannot_be_one_is_refused_alone)
{
    world_open();
    restore("{\"velos_state\":1,\"environs\":{},\"apps\":[{\"spec\":{\"name\":\"x\"},\"instances\":[]}]}",
            -1);
    restore("{\"velos_state\":1,\"environs\":{},\"apps\":[{\"spec\":{\"name\":\"a "
            "b\",\"script\":\"x\",\"cwd\":\"/\"},\"instances\":[]}]}",
            -1);
    check_int(world.n_apps, 0);
    world_close();
}

#define HEAD "{\"velos_state\":1,\"environs\":{},\"apps\":"
static const struct {
    const char *text;
    enum err_code code;
    const char *says;
} bad[] = {
    { "", ERR_PARSE, "line 1, column 0" },
    { "{\n \"velos_state\": 1,\n \"apps\": [}", ERR_PARSE, "line 3, column 11" },
    { "[]", ERR_PARSE, "velos_state" },
    { "{}", ERR_PARSE, "velos_state" },
    { "{\"velos_state\":0}", ERR_PARSE, "velos_state" },
    { "{\"velos_state\":1}", ERR_PARSE, "apps" },
    { "{\"velos_state\":2,\"velos\":\"7.0\"}", ERR_VERSION, "velos 7.0" },
    { HEAD "[{}]}", ERR_PARSE, "apps[0]: spec" },
    { HEAD "[{\"spec\":{}}]}", ERR_PARSE, "apps[0]: spec.name" },
    { HEAD "[{\"spec\":{\"name\":\"a\"}}]}", ERR_PARSE, "apps[0]: instances" },
    { HEAD "[{\"spec\":{\"name\":\"a\"},\"instances\":[{\"id\":-1,\"status\":\"running\"}]}]}", ERR_PARSE,
      "apps[0]: instances: id" },
};

TEST(damage_is_named)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e;
        own_json saved = NULL;
        check_row(i);
        check_int(saved_parse(bad[i].text, strlen(bad[i].text), &saved, &e), -1);
        check_int(e.code, bad[i].code);
        check_contains(e.text, bad[i].says);
        check_text(saved_is_unreadable(bad[i].text, strlen(bad[i].text)),
                   bad[i].code == ERR_PARSE ? "damaged" : "newer");
    }
}

UNIT_MAIN()
