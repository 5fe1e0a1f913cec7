#include "app/life.h"
#include "base/unit.h"

/* The table told again as a list, by hand and from the other side: what people rely on. */
static const struct {
    enum life from;
    enum life_event ev;
    enum life to;
} rows[] = {
    { LIFE_STOPPED, EV_START, LIFE_STARTING },   { LIFE_STARTING, EV_READY, LIFE_ONLINE },
    { LIFE_STARTING, EV_TIMEOUT, LIFE_FAILING }, { LIFE_ONLINE, EV_AGAIN, LIFE_STARTING },
    { LIFE_ONLINE, EV_LATER, LIFE_WAITING },     { LIFE_ONLINE, EV_FINISHED, LIFE_STOPPED },
    { LIFE_ONLINE, EV_GIVE_UP, LIFE_ERRORED },   { LIFE_WAITING, EV_TIMEOUT, LIFE_STARTING },
    { LIFE_STOPPING, EV_GONE, LIFE_STOPPED },    { LIFE_RESTARTING, EV_GONE, LIFE_STARTING },
    { LIFE_RESTARTING, EV_STOP, LIFE_STOPPING }, { LIFE_STOPPING, EV_STUCK, LIFE_STUCK },
    { LIFE_STUCK, EV_GONE, LIFE_ERRORED },
};

TEST(the_story)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(i);
        struct move m = life_next(rows[i].from, rows[i].ev);
        check(m.valid);
        check_int(m.to, rows[i].to);
    }
}

/* Every cell, for what must hold in all of them. */
TEST(every_cell)
{
    for (enum life l = 0; l < LIFE_N; l++)
        for (enum life_event ev = 0; ev < EV_N; ev++) {
            struct move m = life_next(l, ev);
            if (!m.valid)
                continue;
            /* nothing is spawned but into STARTING, and only where no child can be */
            check(!(m.deeds & DO_SPAWN) || m.to == LIFE_STARTING);
            check(!(m.deeds & DO_SPAWN) || ev != EV_STOP);
            check(m.to != LIFE_STARTING || (m.deeds & DO_SPAWN));
            /* a child is only left by its exit, or by what makes sure of one */
            check(l != LIFE_ONLINE || m.to != LIFE_STOPPED || ev == EV_FINISHED);
            check(m.to != LIFE_WAITING || (m.deeds & DO_DELAY));
            /* force comes from a stop alone */
            check(!(m.deeds & DO_KILL) || life_is_stopping(l));
        }
}

TEST(a_stop_always_wins)
{
    for (enum life l = 0; l < LIFE_N; l++) {
        struct move m = life_next(l, EV_STOP);
        enum life then = m.valid ? m.to : l;
        check(then == LIFE_STOPPING || then == LIFE_STOPPED || then == LIFE_STUCK);
    }
}

TEST(a_stuck_instance_never_spawns)
{
    check(!life_next(LIFE_STUCK, EV_START).valid);
    check(!life_next(LIFE_STUCK, EV_RESTART).valid);
}

TEST(names_there_and_back)
{
    for (enum life l = 0; l < LIFE_N; l++) {
        enum life back;
        check(life_from_key(life_key(l), &back));
        check_int(back, l);
    }
    enum life none;
    check(!life_from_key("sleeping", &none));
}

UNIT_MAIN()
