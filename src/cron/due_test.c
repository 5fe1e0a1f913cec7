#include "cron/due.h"

#include "base/unit.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };
static const int64_t DAY_MS = 24 * HOUR;
static const int64_t NOON = INT64_C(1704067200000) + 12 * HOUR; /* 2024-01-01, a day of the clock in UTC */

static struct cron daily_at_noon(void)
{
    struct cron c;
    struct err e;
    check_int(cron_parse("TZ=UTC 0 12 * * *", &c, &e), 0);
    return c;
}

/* Looks, one after the other; times relative to the noon that is due first. */
static const struct look {
    int64_t now;
    bool clock_set;
    enum due_answer answer;
    int missed;
    int64_t next;
} histories[][4] = {
    { { -1, false, DUE_NOT, 0, 0 }, { 0, false, DUE_NOW, 0, DAY_MS }, { 1, false, DUE_NOT, 0, DAY_MS } },
    /* a little late: a daemon was replaced just then */
    { { 29 * 1000, false, DUE_NOW, 0, DAY_MS } },
    /* asleep */
    { { 31 * 1000, false, DUE_MISSED, 1, DAY_MS }, { DAY_MS, false, DUE_NOW, 0, 2 * DAY_MS } },
    { { 3 * DAY_MS + HOUR, false, DUE_MISSED, 4, 4 * DAY_MS } },
    { { 3000 * DAY_MS + 31 * 1000, false, DUE_MISSED, 1000, 3001 * DAY_MS } },
    /* set forward over it; by a little, as a time server does */
    { { 2 * HOUR, true, DUE_MISSED, 1, DAY_MS } },
    { { 2000, true, DUE_NOW, 0, DAY_MS } },
    /* set forward, not so far */
    { { -HOUR, true, DUE_NOT, 0, 0 } },
    /* fired, then set back a little: not again; by a lot: again */
    { { 0, false, DUE_NOW, 0, DAY_MS },
      { -2 * HOUR, true, DUE_NOT, 0, DAY_MS },
      { 5, false, DUE_NOT, 0, DAY_MS } },
    { { 0, false, DUE_NOW, 0, DAY_MS },
      { -4 * HOUR, true, DUE_NOT, 0, 0 },
      { 0, false, DUE_NOW, 0, DAY_MS } },
    /* set back by days before anything fired */
    { { -5 * DAY_MS, true, DUE_NOT, 0, -5 * DAY_MS + DAY_MS },
      { -4 * DAY_MS, false, DUE_NOW, 0, -3 * DAY_MS } },
};

TEST(histories)
{
    struct cron c = daily_at_noon();
    for (size_t i = 0; i < ARRAY_LEN(histories); i++) {
        struct due d;
        due_begin(&d, &c, NOON - HOUR);
        check_int(d.at, NOON);
        for (const struct look *l = histories[i]; l < histories[i] + 4 && (l->now || l->answer); l++) {
            int missed;
            check_row(i * 10 + (size_t)(l - histories[i]));
            check_int(due_look(&d, &c, NOON + l->now, l->clock_set, &missed), l->answer);
            check_int(missed, l->missed);
            check_int(d.at, NOON + l->next);
        }
    }
}

UNIT_MAIN()
