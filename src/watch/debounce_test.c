#include "watch/debounce.h"

#include "base/unit.h"

TEST(quiet)
{
    struct debounce d = { 0 };
    check_int(debounce_due(&d, 100), 0);
    debounce_add(&d, 1000);
    check_int(debounce_due(&d, 100), 1100);
    check_int(debounce_due(&d, 0), 1000);
    debounce_add(&d, 1050);
    check_int(debounce_due(&d, 100), 1150);
}

TEST(never_quiet)
{
    struct debounce d = { 0 };
    for (int64_t now = 1000; now < 5000; now += 50)
        debounce_add(&d, now);
    check_int(debounce_due(&d, 100), 2000);
}

UNIT_MAIN()
