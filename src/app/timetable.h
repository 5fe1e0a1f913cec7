/* src/app/timetable.h: cron_restart of an app: when it is due, and the restart of its instances, one after
 * the other. Next to nothing for an app without: a pointer. */
#pragma once
#include "app/app.h"
#include "base/json.h"

/* From the app's settings, which may have changed; kept: the app's entry, or NULL. */
void timetable_settle(struct app *a, const json_t *kept);
void timetable_free(struct app *a);
void timetable_write(const struct app *a, struct json_out *j); /* into the entry */
void timetable_advance(struct app *a); /* something of the app changed: the next one? */

enum { TIMETABLE_SHOWN = 5 };
/* The next times, in wall ms; how many: 0 if there are none. */
size_t timetable_next(const struct app *a, int64_t out[TIMETABLE_SHOWN]);

void timekeeper_free(struct world *w);
