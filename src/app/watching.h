/* src/app/watching.h: an app that is restarted when its files change. One watcher for all of its instances,
 * as long as any of them is not stopped. Next to nothing for an app without: a pointer. */
#pragma once
#include "app/app.h"
#include "base/json.h"

void watching_settle(struct app *a); /* the settings may have changed */
void watching_free(struct app *a);
void watching_advance(struct app *a); /* something of the app changed */

void watching_write(const struct app *a, struct json_out *j); /* members of app.watch */
void watching_write_short(const struct app *a, struct json_out *j,
                          const char *key); /* of app.info; or null */
