/* Whose a process is, told from lists of processes that are made up. Apps of two users and of root, velosd
 * (the test itself), a keeper and init. */
#include "app/census.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/unit.h"

enum {
    INIT = 1,
    UPPER = 50, /* what reaps above the keeper: a user's systemd */
    KEEPER = 60,
    NONE = CENSUS_NOBODY,
    ROOTS = 0, /* ids of instances, and the users of their apps */
    ANNS = 1,
    BOBS = 2,
    ANNS_OTHER = 3,
    ANN = 1000,
    BOB = 2000,
    P = 900, /* the process that is asked about */
};
enum { FAMILY_OF_ANOTHER_HOME = 77 };

/* What the one process P says of itself. */
static struct {
    int64_t tag;  /* of this instance; -1: none, -2: of one that is gone, -3: another home's */
    int64_t mark; /* likewise */
    bool hidden;  /* its environment cannot be read */
    uid_t user;
} says;

static struct world world;
static struct app apps[4];
static struct app_spec specs[4];
static struct instance instances[4], *lists[4];

static uint64_t tag_of(int64_t id)
{
    struct instance gone = { .app = &apps[0], .id = 99 };
    return id >= 0    ? instance_tag(&instances[id])
           : id == -2 ? instance_tag(&gone)
           : id == -3 ? (uint64_t)FAMILY_OF_ANOTHER_HOME << 32
                      : 0;
}

static uint64_t fake_tag(pid_t pid)
{
    return pid == P ? tag_of(says.tag) : 0;
}

static enum procstat_env fake_env(pid_t pid, const char *name, char *out, size_t size)
{
    if (pid != P || says.mark == -1 || says.hidden)
        return PROCSTAT_ENV_ABSENT;
    snprintf(out, size, "%s-%d", says.mark == -3 ? "0123456789abcdee" : world.nonce,
             says.mark >= 0 ? (int)says.mark : 99);
    return PROCSTAT_ENV_FOUND;
}

static bool fake_user(pid_t pid, uid_t *out)
{
    *out = pid == P ? says.user : 0;
    return true;
}

static const struct census_facts facts = { fake_tag, fake_env, fake_user };

static void world_open(void)
{
    static const uid_t users[] = { 0, ANN, BOB, ANN };
    memset(&world, 0, sizeof(world));
    strcpy(world.nonce, "0123456789abcdef");
    world.keeper_pid = KEEPER;
    list_init(&world.apps);
    for (int i = 0; i < 4; i++) {
        specs[i] = (struct app_spec){ .treekill = true };
        lists[i] = &instances[i];
        apps[i] = (struct app){ .world = &world, .spec = &specs[i], .instances = &lists[i], .n = 1 };
        list_append(&world.apps, &apps[i].link);
        instances[i] = (struct instance){ .app = &apps[i],
                                          .id = i,
                                          .uid = users[i],
                                          .pid = 100 + i,
                                          .last_pid = 100 + i,
                                          .life = LIFE_ONLINE };
        map_put(&world.by_id, (uint64_t)i + 1, &instances[i]);
        map_put(&world.by_pid, (uint64_t)instances[i].pid, &instances[i]);
    }
}

static void world_close(void)
{
    map_done(&world.by_id);
    map_done(&world.by_pid);
}

static struct instance *const all[] = { &instances[0], &instances[1], &instances[2], &instances[3] };

static void take(struct census *c, pid_t parent, pid_t session)
{
    const struct proc_info list[] = {
        { .pid = INIT, .state = 'S' },
        { .pid = UPPER, .ppid = INIT, .state = 'S' },
        { .pid = KEEPER, .ppid = UPPER, .state = 'S' },
        { .pid = getpid(), .ppid = KEEPER, .state = 'S' },
        { .pid = 100, .ppid = getpid(), .session = 100, .pgrp = 100, .state = 'S' },
        { .pid = 101, .ppid = getpid(), .session = 101, .pgrp = 101, .state = 'S' },
        { .pid = 102, .ppid = getpid(), .session = 102, .pgrp = 102, .state = 'S' },
        { .pid = 103, .ppid = KEEPER, .session = 103, .pgrp = 103, .state = 'S' },
        { .pid = P, .ppid = parent, .session = session, .pgrp = session, .state = 'S', .start = 5 },
    };
    struct proc_info *copy = xcalloc(ARRAY_LEN(list), sizeof(*copy));
    memcpy(copy, list, sizeof(list));
    census_of(c, &world, all, ARRAY_LEN(all), copy, ARRAY_LEN(list), &facts);
}

static int64_t owner(pid_t parent, pid_t session, bool stopping)
{
    struct census c;
    take(&c, parent, session);
    c.stopping = stopping;
    int64_t id = census_owner(&c, &c.all[c.n - 1]);
    census_done(&c);
    return id;
}

/* parent 0: velosd's child. */
TEST(what_names_the_owner)
{
    static const struct {
        pid_t parent, session;
        int64_t tag, mark;
        uid_t user;
        bool hidden;
        int64_t figures, stop; /* the answer for figures, and for a stop of none of them */
    } rows[] = {
        /* session, and the parent: nothing is asked */
        { 0, 101, -1, -1, ANN, true, ANNS, ANNS },
        { 102, P, -1, -1, BOB, true, BOBS, BOBS },
        { 102, P, ANNS, ANNS, ANN, false, BOBS, BOBS },
        /* a tag: whoever it has become, whatever it says, whoever is its parent */
        { 0, P, ANNS, -1, ANN, true, ANNS, ANNS },
        { KEEPER, P, ANNS, -1, ANN, true, ANNS, ANNS },
        { 0, P, ROOTS, -1, BOB, true, ROOTS, ROOTS },
        { 0, P, ANNS, BOBS, BOB, false, ANNS, ANNS },
        { 0, P, -2, BOBS, BOB, false, NONE, NONE },
        { 0, P, -3, BOBS, BOB, false, BOBS, BOBS },
        /* a mark: of the user whose app that is, and of no other */
        { 0, P, -1, ANNS, ANN, false, ANNS, ANNS },
        { KEEPER, P, -1, ANNS, ANN, false, ANNS, ANNS },
        { 0, P, -1, ANNS, BOB, false, NONE, NONE },
        { 0, P, -1, ROOTS, BOB, false, NONE, NONE },
        { 0, P, -1, ROOTS, 0, false, ROOTS, ROOTS },
        { 0, P, -1, ANNS, 0, false, NONE, NONE },
        { 0, P, -1, ANNS, ANN, true, NONE, NONE },
        { 0, P, -1, -2, ANN, false, NONE, NONE },
        { 0, P, -1, -3, ANN, false, NONE, NONE },
        /* what fell to init, or to what reaps above a keeper that died, is asked for a stop alone */
        { INIT, P, ANNS, -1, ANN, true, NONE, ANNS },
        { UPPER, P, ANNS, -1, ANN, true, NONE, ANNS },
        { INIT, P, -1, ANNS, ANN, false, NONE, ANNS },
        { INIT, P, -1, ANNS, BOB, false, NONE, NONE },
        { INIT, P, -1, -1, ANN, false, NONE, NONE },
        { 42, P, ANNS, ANNS, ANN, false, NONE, NONE }, /* no orphan */
    };
    world_open();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        says.tag = rows[i].tag;
        says.mark = rows[i].mark;
        says.user = rows[i].user;
        says.hidden = rows[i].hidden;
        pid_t parent = rows[i].parent ? rows[i].parent : getpid();
        check_int(owner(parent, rows[i].session, false), rows[i].figures);
        check_int(owner(parent, rows[i].session, true), rows[i].stop);
    }
    world_close();
}

/* Nothing names it: which instances are being stopped, which run. */
TEST(what_nothing_names)
{
#define RUNS  LIFE_ONLINE
#define ENDS  LIFE_STOPPING
#define DONE  LIFE_STOPPED
#define WAITS LIFE_WAITING
    static const struct {
        pid_t parent; /* 0: velosd's child */
        uid_t user;
        enum life lives[4]; /* of ROOTS, ANNS, BOBS, ANNS_OTHER */
        int64_t owner;
    } rows[] = {
        { 0, ANN, { DONE, ENDS, DONE, DONE }, ANNS },
        { KEEPER, ANN, { DONE, ENDS, DONE, DONE }, ANNS },
        { INIT, ANN, { DONE, ENDS, DONE, DONE }, NONE }, /* anybody's */
        { UPPER, ANN, { DONE, ENDS, DONE, DONE }, NONE },
        { 0, ANN, { DONE, ENDS, RUNS, DONE }, ANNS },  /* Bob's cannot have become Ann */
        { 0, ANN, { DONE, ENDS, DONE, RUNS }, NONE },  /* it may be the other one's */
        { 0, ANN, { DONE, ENDS, DONE, WAITS }, ANNS }, /* that one has nothing just now */
        { 0, ANN, { RUNS, ENDS, DONE, DONE }, NONE },  /* root's may have become anybody */
        { 0, ANN, { ENDS, RUNS, DONE, DONE }, NONE },
        { 0, ANN, { ENDS, DONE, RUNS, DONE }, ROOTS },
        { 0, ANN, { DONE, DONE, ENDS, DONE }, NONE },
        { 0, 0, { DONE, ENDS, RUNS, DONE }, NONE }, /* both may have started a setuid program */
        { 0, 0, { DONE, ENDS, ENDS, DONE }, ANNS }, /* all that may have are being stopped */
        { 0, ANN, { RUNS, RUNS, RUNS, RUNS }, NONE },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        world_open();
        says.tag = says.mark = -1;
        says.user = rows[i].user;
        for (int k = 0; k < 4; k++) {
            instances[k].life = rows[i].lives[k];
            if (rows[i].lives[k] == DONE || rows[i].lives[k] == WAITS)
                instances[k].pid = 0;
        }
        pid_t parent = rows[i].parent ? rows[i].parent : getpid();
        check_int(owner(parent, P, true), rows[i].owner);
        check_int(owner(parent, P, false), NONE); /* never for figures */
        world.unread = true;                      /* of an app that we do not know? */
        check_int(owner(parent, P, true), NONE);
        world_close();
    }
}

TEST(what_is_not_of_an_app_for_certain)
{
    world_open();
    says.tag = says.mark = -1;
    says.user = ANN;
    for (int k = 0; k < 4; k++) {
        instances[k].life = LIFE_STOPPING;
        instances[k].pid = 0;
    }
    check_int(owner(KEEPER, P, true), ROOTS);
    world.shared_keeper = KEEPER; /* it had children before it was one */
    check_int(owner(KEEPER, P, true), NONE);
    check_int(owner(getpid(), P, true), ROOTS);
    world.shared_keeper = 0;
    world.keeper_pid = INIT; /* in a container: whatever loses its parent there falls to it */
    check_int(owner(INIT, P, true), NONE);
    specs[0].treekill = false;
    check_int(owner(getpid(), P, true), ANNS);
    world_close();
}

/* For `velos kill`, when no app is left. */
TEST(what_is_unowned)
{
    static const struct {
        pid_t parent;
        int64_t tag, mark;
        bool unowned;
    } rows[] = {
        { 0, -1, -1, true },    { KEEPER, -1, -1, true }, { INIT, -1, -1, false }, { 42, -1, -1, false },
        { 0, ANNS, -1, false }, { 0, -2, -1, false }, /* an app with treekill = false has left it */
        { 0, -1, -2, true },    { 0, -3, -3, true },      { 101, -1, -1, false },
    };
    world_open();
    says.user = ANN;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct census c;
        check_row(i);
        says.tag = rows[i].tag;
        says.mark = rows[i].mark;
        take(&c, rows[i].parent ? rows[i].parent : getpid(), P);
        check_int(census_is_unowned(&c, &c.all[c.n - 1]), rows[i].unowned);
        check(!census_is_unowned(&c, &c.all[2]) && !census_is_unowned(&c, &c.all[3]));
        census_done(&c);
    }
    world_close();
}

TEST(tags_tell_instances_and_homes_apart)
{
    world_open();
    uint64_t a = instance_tag(&instances[0]), b = instance_tag(&instances[1]);
    check(a && b && a != b);
    world.nonce[15] = '0';
    check(instance_tag(&instances[0]) != a && instance_tag(&instances[0]) != b);
    instances[0].id = INT64_C(1) << 40; /* no room for it: it has none */
    check_int(instance_tag(&instances[0]), 0);
    world_close();
}

UNIT_MAIN()
