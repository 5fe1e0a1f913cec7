#include "app/policy.h"
#include "base/unit.h"

struct step {
    struct policy_exit exit;
    enum life_event want;
    int64_t delay; /* when LATER */
};

#define CODE(c, up)                                                                                          \
    {                                                                                                        \
        .code = (c), .uptime = (up)                                                                          \
    }
#define SIGNAL(up)                                                                                           \
    {                                                                                                        \
        .signalled = true, .uptime = (up)                                                                    \
    }
#define SPAWN_FAILED                                                                                         \
    {                                                                                                        \
        .spawn_failed = true                                                                                 \
    }
#define NOT_READY(up)                                                                                        \
    {                                                                                                        \
        .not_ready = true, .signalled = true, .uptime = (up)                                                 \
    }

static void play(const struct app_spec *spec, const struct step *steps, size_t n)
{
    struct policy_memory m = { 0 };
    for (size_t i = 0; i < n; i++) {
        int64_t delay = 0;
        check_row(i);
        check_int(policy_judge(spec, &m, &steps[i].exit, &delay), steps[i].want);
        check_int(delay, steps[i].delay);
    }
}
#define PLAY(spec, ...)                                                                                      \
    do {                                                                                                     \
        const struct step steps_[] = { __VA_ARGS__ };                                                        \
        play((spec), steps_, ARRAY_LEN(steps_));                                                             \
    } while (0)

TEST(on_failure_is_the_default)
{
    own_app_spec s = app_spec_new();
    PLAY(s, { CODE(0, 5000), EV_FINISHED, 0 });
    PLAY(s, { CODE(1, 5000), EV_AGAIN, 0 }, { SIGNAL(5000), EV_AGAIN, 0 });
}

TEST(always_and_never)
{
    own_app_spec s = app_spec_new();
    s->autorestart = AUTORESTART_ALWAYS;
    s->stop_exit_codes = (struct exit_codes){ 0 };
    PLAY(s, { CODE(0, 5000), EV_AGAIN, 0 }, { CODE(3, 5000), EV_AGAIN, 0 });
    s->autorestart = AUTORESTART_NEVER;
    PLAY(s, { CODE(1, 5000), EV_FINISHED, 0 }, { SIGNAL(10), EV_FINISHED, 0 },
         { NOT_READY(10), EV_GIVE_UP, 0 });
}

TEST(stop_exit_codes_count_as_success)
{
    own_app_spec s = app_spec_new();
    s->stop_exit_codes.bits[42 / 64] |= 1ull << (42 % 64);
    PLAY(s, { CODE(42, 5000), EV_FINISHED, 0 }, { CODE(43, 5000), EV_AGAIN, 0 });
}

TEST(unstable_exits_in_a_row_end_in_errored)
{
    own_app_spec s = app_spec_new();
    s->max_restarts = 3;
    PLAY(s, { CODE(1, 10), EV_AGAIN, 0 }, { CODE(1, 10), EV_AGAIN, 0 }, { CODE(1, 10), EV_GIVE_UP, 0 });
    /* one stable life clears the row */
    PLAY(s, { CODE(1, 10), EV_AGAIN, 0 }, { CODE(1, 10), EV_AGAIN, 0 }, { CODE(1, 1000), EV_AGAIN, 0 },
         { CODE(1, 10), EV_AGAIN, 0 }, { CODE(1, 10), EV_AGAIN, 0 }, { CODE(1, 10), EV_GIVE_UP, 0 });
}

TEST(max_restarts_zero_and_no_limit)
{
    own_app_spec s = app_spec_new();
    s->max_restarts = 0;
    PLAY(s, { CODE(1, 99999), EV_GIVE_UP, 0 });
    s->max_restarts = -1;
    struct policy_memory m = { 0 };
    for (int i = 0; i < 1000; i++) {
        int64_t delay = 0;
        struct policy_exit x = CODE(1, 1);
        check_int(policy_judge(s, &m, &x, &delay), EV_AGAIN);
    }
}

TEST(backoff_doubles_is_capped_and_calms_down)
{
    own_app_spec s = app_spec_new();
    s->max_restarts = -1;
    s->exp_backoff_restart_delay = 100;
    PLAY(s, { CODE(1, 10), EV_LATER, 100 }, { CODE(1, 10), EV_LATER, 200 }, { CODE(1, 2000), EV_LATER, 400 },
         { CODE(1, 10), EV_LATER, 800 }, { CODE(1, 10), EV_LATER, 1600 }, { CODE(1, 10), EV_LATER, 3200 },
         { CODE(1, 10), EV_LATER, 6400 }, { CODE(1, 10), EV_LATER, 12800 }, { CODE(1, 10), EV_LATER, 15000 },
         { CODE(1, 29999), EV_LATER, 15000 }, { CODE(1, 30000), EV_LATER, 100 });
}

TEST(a_failed_spawn)
{
    own_app_spec s = app_spec_new();
    /* one that a person asked for: they have the error in hand */
    PLAY(s, { { .spawn_failed = true, .commanded = true }, EV_GIVE_UP, 0 });
    /* an automatic one is tried again, never at once, and counts */
    s->max_restarts = 2;
    PLAY(s, { SPAWN_FAILED, EV_LATER, 1000 }, { SPAWN_FAILED, EV_GIVE_UP, 0 });
}

TEST(unstable_as_people_see_it)
{
    own_app_spec s = app_spec_new();
    struct policy_memory m = { .unstable = 4 };
    check_int(policy_unstable_now(s, &m, 10), 4);
    check_int(policy_unstable_now(s, &m, s->min_uptime), 0);
    check_int(policy_unstable_now(s, &m, -1), 4);
}

UNIT_MAIN()
