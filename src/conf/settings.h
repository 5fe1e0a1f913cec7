/* src/conf/settings.h: the daemon's own settings, [daemon] in $VELOS_HOME/config.toml: rows of the same kind
 * as an app's (conf/keys.h), read, checked and documented by the same code.
 *
 * The CLI reads the file when it starts a daemon, and `velos update` reads it anew; the daemon gets them as
 * JSON, and the keeper keeps them for the daemons to come. */
#pragma once
#include "conf/keys.h"

#define SETTINGS_FILE "config.toml"

struct settings {
    struct app_spec
        app; /* what apps have that do not say: the log_ settings alone; `set` and `unknown` are ours */
    int64_t metrics_interval; /* ms */
    bool auto_save;
    int64_t start_concurrency, stop_concurrency; /* 0: no bound */
    int64_t nofile;                              /* 0: that of who starts an app */
};

extern const struct key_table settings_table;

struct settings *settings_new(void); /* all at their defaults */
struct settings *settings_free(struct settings *s);
void settings_cleanup(struct settings **s);
#define own_settings __attribute__((cleanup(settings_cleanup))) struct settings *

/* The table node `daemon`; as keys_read. Relative paths there are none. */
void settings_read(struct settings *s, const struct conf_node *daemon, struct conf_problems *problems);

/* Those that were set, as an object; members this version does not know are kept. */
void settings_write_json(const struct settings *s, struct json_out *out, const char *key);
must_check int settings_read_json(const json_t *o, struct settings **out, struct err *e);

/* An app's settings that it does not have set are what ours say. */
void settings_fill_in(const struct settings *s, struct app_spec *app);
