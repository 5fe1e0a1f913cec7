/* src/cron/due.h: the one time an expression waits for, and what becomes of it when the clock does not go on
 * as clocks do. Pure: "now" comes in. */
#pragma once
#include "cron/cron.h"

enum {
    DUE_LATE_MS = 30 * 1000, /* seen later than that it was missed */
    DUE_BACK_MS =
        3 * 3600 * 1000, /* a clock set back by more begins a new time; by less fires nothing twice */
};

struct due {
    int64_t at;   /* wall ms */
    int64_t last; /* the one before, fired or missed; 0: there was none */
};
enum due_answer { DUE_NOT, DUE_NOW, DUE_MISSED };

void due_begin(struct due *d, const struct cron *c, int64_t now_ms);

/* Has its time come? Then d goes on to the next one. clock_set: somebody has set the clock since the last
 * look. *missed: how many times, up to 1,000, went by unseen. */
enum due_answer due_look(struct due *d, const struct cron *c, int64_t now_ms, bool clock_set, int *missed);

int64_t due_after(const struct cron *c, int64_t wall_ms); /* the first time behind wall_ms */
