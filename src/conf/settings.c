#include "conf/settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "conf/keys_shapes.h"

#define OUR(field) .offset = offsetof(struct settings, field), .size = sizeof(((struct settings *)0)->field)

enum { SECOND = 1000, HOUR = 3600 * SECOND };

static const struct key rows[] = {
    { .name = "metrics_interval",
      .type = KEY_DURATION,
      OUR(metrics_interval),
      .shape = "duration",
      .def = "2s",
      .min = 250,
      .max = HOUR,
      .about = "How often processor time and memory of the apps are looked at, and max_memory_restart with "
               "them." },
    { .name = "auto_save",
      .type = KEY_BOOL,
      OUR(auto_save),
      .shape = "bool",
      .def = "false",
      .about = "Save the list after every start, stop and delete; not when velos itself stops, and never an "
               "empty list." },
    { .name = "start_concurrency",
      .type = KEY_COUNT,
      OUR(start_concurrency),
      .shape = "integer",
      .def = "0",
      .max = 1024,
      .about = "How many instances with `wait_ready` may be starting at a time; the others wait their turn. "
               "0: no bound." },
    { .name = "stop_concurrency",
      .type = KEY_COUNT,
      OUR(stop_concurrency),
      .shape = "integer",
      .def = "0",
      .max = 1024,
      .about = "How many apps a command (or the shutdown) stops at a time. 0: no bound." },
    { .name = "nofile",
      .type = KEY_COUNT,
      OUR(nofile),
      .shape = "integer",
      .def = "0",
      .max = 1 << 30,
      .about = "Soft limit of open files that apps get, at most the hard limit. 0: that of whoever started "
               "the app." },
    { .name = "log_max_size",
      .type = KEY_SIZE,
      OUR(app.log_max_size),
      .shape = "size",
      .def = "10M",
      .about = "Of apps that do not set it themselves." },
    { .name = "log_retain_count",
      .type = KEY_COUNT,
      OUR(app.log_retain_count),
      .shape = "integer",
      .def = "30",
      .max = 10000,
      .about = "Of apps that do not set it themselves." },
    { .name = "log_compress",
      .type = KEY_BOOL,
      OUR(app.log_compress),
      .shape = "bool",
      .def = "false",
      .about = "Of apps that do not set it themselves." },
    { .name = "log_date_format",
      .type = KEY_STRING,
      OUR(app.log_date_format),
      .shape = "strftime string",
      .read = read_date_format,
      .example = "\"%Y-%m-%d %H:%M:%S \"",
      .about = "Of apps that do not set it themselves. Default: nothing." },
    { .name = "log_type",
      .type = KEY_SPECIAL,
      OUR(app.log_type),
      .shape = "\"raw\" or \"json\"",
      .def = "raw",
      .read = read_log_type,
      .write = write_log_type,
      .about = "Of apps that do not set it themselves." },
};
const struct key_table settings_table = { .rows = rows, .len = ARRAY_LEN(rows), .name = "daemon" };

struct settings *settings_new(void)
{
    struct settings *s = xnew(struct settings);
    for (const struct key *k = rows; k < rows + ARRAY_LEN(rows); k++) {
        struct err e;
        int r = k->def ? key_set_default(k, &s->app, &e) : 0;
        assert(r == 0); /* a default of the table that the table refuses */
    }
    s->app.set = 0;
    return s;
}

struct settings *settings_free(struct settings *s)
{
    if (!s)
        return NULL;
    for (const struct key *k = rows; k < rows + ARRAY_LEN(rows); k++)
        key_clear(k, &s->app);
    json_decref(s->app.unknown);
    free(s);
    return NULL;
}

void settings_cleanup(struct settings **s)
{
    *s = settings_free(*s);
}

void settings_read(struct settings *s, const struct conf_node *daemon, struct conf_problems *problems)
{
    keys_read_table(&settings_table, &s->app, daemon, NULL, problems);
}

void settings_write_json(const struct settings *s, struct json_out *out, const char *key)
{
    keys_write_table(&settings_table, &s->app, out, key);
}

int settings_read_json(const json_t *o, struct settings **out, struct err *e)
{
    struct conf_node node;
    if (!json_is_object(o))
        return err_set(e, ERR_CONFIG, "settings must be an object");
    *out = settings_new();
    conf_node_from_json(&node, o);
    keys_read_table(&settings_table, &(*out)->app, &node, o, NULL);
    conf_node_done(&node);
    return 0;
}

void settings_fill_in(const struct settings *s, struct app_spec *app)
{
    for (const struct key *k = rows; k < rows + ARRAY_LEN(rows); k++) {
        const struct key *theirs = key_find(k->name);
        if (theirs && key_is_set(k, &s->app) && !key_is_set(theirs, app))
            key_copy(theirs, app, &s->app);
    }
}
