#include "base/unit.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/map.h"

static int values[4096];

TEST(empty)
{
    struct map m = { 0 };
    check(map_get(&m, 1) == NULL && map_get(&m, 0) == NULL);
    map_remove(&m, 1);
    map_done(&m);
    map_done(&m);
}

TEST(replace)
{
    struct map m = { 0 };
    map_put(&m, 7, &values[0]);
    map_put(&m, 7, &values[1]);
    check_int(m.len, 1);
    check(map_get(&m, 7) == &values[1]);
    map_done(&m);
}

/* Against an array that cannot be wrong: puts and removals at random over few keys, so that they collide. */
TEST(as_an_array)
{
    struct map m = { 0 };
    bool there[ARRAY_LEN(values)] = { false };
    size_t len = 0;
    srand(1);
    for (int step = 0; step < 100000; step++) {
        size_t i = (size_t)rand() % (ARRAY_LEN(values) - 1) + 1;
        bool put = rand() % 2;
        len = len - there[i] + put;
        if (put)
            map_put(&m, i << 32 | i, &values[i]);
        else
            map_remove(&m, i << 32 | i);
        there[i] = put;
        check_int(m.len, len);
    }
    for (size_t i = 1; i < ARRAY_LEN(values); i++)
        check(map_get(&m, i << 32 | i) == (there[i] ? &values[i] : NULL));
    map_done(&m);
}

UNIT_MAIN()
