#include "metrics/usage.h"

#include "base/unit.h"

static struct proc_info process(pid_t pid, uint64_t start, uint64_t cpu, uint64_t rss)
{
    return (struct proc_info){ .pid = pid, .start = start, .cpu = cpu, .rss = rss };
}

static int percent(const struct usage *u)
{
    return (int)(u->percent + (u->percent < 0 ? -0.5 : 0.5));
}

TEST(not_known_before_the_second_look)
{
    struct usage u = { 0 };
    struct proc_info a = process(10, 1, 500, 4096);
    const struct proc_info *all[] = { &a };
    usage_look(&u, all, 1, 10, 1000, 100);
    check(u.percent < 0);
    check_int(u.memory, 4096);
    a.cpu += 100; /* one second of processor time in two */
    usage_look(&u, all, 1, 10, 3000, 100);
    check_int(percent(&u), 50);
    usage_forget(&u);
}

TEST(a_tree_counts_as_a_whole_at_any_tick_rate)
{
    struct usage u = { 0 };
    struct proc_info a = process(10, 1, 0, 100), b = process(11, 2, 0, 200);
    const struct proc_info *all[] = { &b, &a };
    usage_look(&u, all, 2, 10, 1000, 1000);
    a.cpu = 1000;
    b.cpu = 500;
    usage_look(&u, all, 2, 10, 2000, 1000);
    check_int(percent(&u), 150);
    check_int(u.memory, 300);
    check_int(u.main_memory, 100);
    usage_forget(&u);
}

TEST(a_reused_pid_is_another_process)
{
    struct usage u = { 0 };
    struct proc_info a = process(10, 1, 9000, 0);
    const struct proc_info *all[] = { &a };
    usage_look(&u, all, 1, 10, 1000, 100);
    a = process(10, 777, 20, 0); /* same number, born since */
    usage_look(&u, all, 1, 10, 2000, 100);
    check_int(percent(&u), 20);
    usage_forget(&u);
}

TEST(one_that_ends_takes_nothing_away)
{
    struct usage u = { 0 };
    struct proc_info a = process(10, 1, 0, 0), b = process(11, 1, 5000, 0);
    const struct proc_info *both[] = { &a, &b }, *one[] = { &a };
    usage_look(&u, both, 2, 10, 1000, 100);
    a.cpu = 10;
    usage_look(&u, one, 1, 10, 2000, 100);
    check_int(percent(&u), 10);
    usage_look(&u, one, 0, 10, 3000, 100);
    check_int(percent(&u), 0);
    usage_forget(&u);
}

UNIT_MAIN()
