/* From fields to JSON: numbers in ms and bytes, so that a program need not parse units. What is written
 * reads back as the same (keys_test.c). */
#include <string.h>

#include "conf/keys_shapes.h"

static void write_signal(const struct key *k, const struct app_spec *s, struct json_out *out)
{
    int64_t number = *(int64_t *)key_field(k, s);
    const char *name = key_signal_name(number);
    if (name)
        json_str(out, k->name, name);
    else
        json_int(out, k->name, number);
}

static void write_env(const struct key *k, const struct app_spec *s, struct json_out *out)
{
    json_open(out, k->name, '{');
    for (char *const *pair = s->env; pair && *pair; pair++) {
        const char *value = strchr(*pair, '=');
        own_text name = xstrndup(*pair, (size_t)(value - *pair));
        json_str(out, name, value + 1);
    }
    json_close(out, '}');
}

static void write_key(const struct key *k, const struct app_spec *s, struct json_out *out)
{
    const void *field = key_field(k, s);
    switch (k->type) {
    case KEY_STRING:
    case KEY_NAME:
    case KEY_PATH:
        json_str(out, k->name, *(char *const *)field);
        break;
    case KEY_BOOL:
        json_flag(out, k->name, *(const bool *)field);
        break;
    case KEY_COUNT:
    case KEY_DURATION:
    case KEY_SIZE:
        json_int(out, k->name, *(const int64_t *)field);
        break;
    case KEY_STRINGS:
    case KEY_PATHS:
        json_strv(out, k->name, *(char **const *)field);
        break;
    case KEY_SIGNAL:
        write_signal(k, s, out);
        break;
    case KEY_ENV:
        write_env(k, s, out);
        break;
    case KEY_SPECIAL:
        break; /* has its own writer */
    }
}

/* Less than 1 MiB is refused without a unit, so it is written with one. */
void write_memory(const struct key *k, const struct app_spec *s, struct json_out *out)
{
    own_text text = xasprintf("%lldB", (long long)s->max_memory_restart);
    if (s->max_memory_restart < 1 << 20)
        json_str(out, k->name, text);
    else
        json_int(out, k->name, s->max_memory_restart);
}

void write_instances(const struct key *k, const struct app_spec *s, struct json_out *out)
{
    if (s->instances == INSTANCES_MAX)
        json_str(out, k->name, "max");
    else
        json_int(out, k->name, s->instances);
}

void write_autorestart(const struct key *k, const struct app_spec *s, struct json_out *out)
{
    if (s->autorestart == AUTORESTART_ALWAYS)
        json_str(out, k->name, "always");
    else
        json_flag(out, k->name, s->autorestart == AUTORESTART_ON_FAILURE);
}

void write_exit_codes(const struct key *k, const struct app_spec *s, struct json_out *out)
{
    json_open(out, k->name, '[');
    for (int code = 0; code < 256; code++)
        if (exit_codes_has(&s->stop_exit_codes, code))
            json_int(out, NULL, code);
    json_close(out, ']');
}

void write_inherit_env(const struct key *k, const struct app_spec *s, struct json_out *out)
{
    if (s->inherit_env.names)
        json_strv(out, k->name, s->inherit_env.names);
    else
        json_flag(out, k->name, s->inherit_env.all);
}

void write_backoff(const struct key *k, const struct app_spec *s, struct json_out *out)
{
    if (s->exp_backoff_restart_delay)
        json_int(out, k->name, s->exp_backoff_restart_delay);
    else
        json_flag(out, k->name, false);
}

void write_watch(const struct key *k, const struct app_spec *s, struct json_out *out)
{
    json_flag(out, k->name, s->watch);
}

void write_log_type(const struct key *k, const struct app_spec *s, struct json_out *out)
{
    json_str(out, k->name, s->log_type == LOG_TYPE_JSON ? "json" : "raw");
}

/* A member may be kept because its value could not be read, and have been set since. */
static bool is_written(const struct key_table *t, const struct app_spec *s, const char *name)
{
    const struct key *k = key_find_in(t, name);
    return k && key_is_set(k, s);
}

static void write_unknown(const struct key_table *t, const struct app_spec *s, struct json_out *out)
{
    const char *name;
    json_t *value;
    json_object_foreach(s->unknown, name, value)
    {
        own_text text = is_written(t, s, name) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (text)
            json_raw(out, name, text);
    }
}

void keys_write_json(const struct app_spec *s, struct json_out *out, const char *key)
{
    keys_write_table(&keys_table, s, out, key);
}

void keys_write_table(const struct key_table *t, const struct app_spec *s, struct json_out *out,
                      const char *key)
{
    json_open(out, key, '{');
    for (const struct key *k = t->rows; k < t->rows + t->len; k++)
        if (key_is_set(k, s))
            (k->write ? k->write : write_key)(k, s, out);
    write_unknown(t, s, out);
    json_close(out, '}');
}
