/* src/daemon/show.h: instances and outcomes as JSON, as docs/protocol.md and docs/list-json.md promise. */
#pragma once
#include "app/app.h"
#include "base/json.h"

void show_exit(struct json_out *j, const struct exit_status *x); /* exit_code, exit_signal; NULL: both null */
void show_list_row(struct json_out *j, struct instance *in);
void show_info(struct json_out *j, struct instance *in);
void show_cron(struct json_out *j, const struct app *a); /* cron_next: the next times */
void show_outcome(struct json_out *j, const struct app *a, bool unchanged);
