/* From what was written to fields: one reader per type, a few for special rows; then whole apps, from a
 * file, from the wire, and single flags. Readers touch the field on success alone. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/time.h"
#include "base/units.h"
#include "base/vars.h"
#include "conf/keys_shapes.h"
#include "cron/cron.h"

static const int64_t duration_most = 10000LL * 86400000, size_most = 1LL << 50;

/* ---- what went wrong, in words ---- */

/* Numbers keep their spelling where they have one: 1.10 is not 1.1. */
static char *number_text(const struct conf_node *v)
{
    if (v->type == CONF_INT)
        return v->spelled ? xstrdup(v->spelled) : xasprintf("%lld", (long long)v->integer);
    if (v->spelled)
        return xstrdup(v->spelled);
    own_json number = json_real(v->real); /* NULL for inf and nan */
    char *shortest = number ? json_dumps(number, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;
    return shortest ? shortest : xstrdup(v->real > 0 ? "inf" : v->real < 0 ? "-inf" : "nan");
}

/* As JSON, so that a message stays on its line; long ones are cut, but not inside a character. */
static char *quoted(const char *text)
{
    enum { MOST = 40 };
    size_t n = strlen(text);
    bool cut = n > MOST;
    for (n = MIN(n, MOST); cut && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
        n--;
    own_text part = xasprintf("%.*s%s", (int)n, text, cut ? "..." : "");
    own_buf out = { 0 };
    struct json_out j = JSON_OUT(&out);
    json_str(&j, NULL, part);
    return buf_steal(&out);
}

static char *shown(const struct conf_node *v)
{
    switch (v->type) {
    case CONF_STRING:
        return quoted(v->text);
    case CONF_BOOL:
        return xstrdup(v->flag ? "true" : "false");
    case CONF_INT:
    case CONF_FLOAT:
        return number_text(v);
    case CONF_OTHER:
        return xstrdup(v->text);
    default:
        return xstrdup(conf_type_name(v->type));
    }
}

static int wrong(struct err *e, const char *expected, const struct conf_node *v)
{
    own_text got = shown(v);
    err_set(e, ERR_CONFIG, "expected %s, got %s", expected, got);
    return -1;
}

/* ---- values by type ---- */

static int set_text(const struct key *k, struct app_spec *s, char *take_text)
{
    key_set_text(k, s, take_text);
    return 0;
}

static int set_list(const struct key *k, struct app_spec *s, char **take_list)
{
    key_set_list(k, s, take_list);
    return 0;
}

static int set_number(const struct key *k, struct app_spec *s, int64_t n)
{
    *(int64_t *)key_field(k, s) = n;
    return 0;
}

static int read_string(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                       struct err *e)
{
    if (v->type != CONF_STRING || !*v->text)
        return wrong(e, v->type == CONF_STRING ? "a text that is not empty" : "a string", v);
    return set_text(k, s, xstrdup(v->text));
}

static bool is_name(const char *s)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t n = strlen(s);
    return n >= 1 && n <= SPEC_NAME_MOST && strspn(s, allowed) == n && strcmp(s, ".") != 0 &&
           strcmp(s, "..") != 0;
}

static int read_name(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                     struct err *e)
{
    if (v->type != CONF_STRING || !is_name(v->text))
        return wrong(e, "a name of 1-64 letters, digits, . _ -", v);
    return set_text(k, s, xstrdup(v->text));
}

static int full_path(const struct conf_node *v, const char *base, char **out, struct err *e)
{
    if (v->type != CONF_STRING || !*v->text)
        return wrong(e, "a path", v);
    if (!base && v->text[0] != '/')
        return wrong(e, "an absolute path", v);
    *out = base && !*base ? xstrdup(v->text) : path_absolute(base ? base : "/", v->text);
    return 0;
}

static int read_path(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                     struct err *e)
{
    char *path = NULL;
    if (full_path(v, base, &path, e) < 0)
        return -1;
    return set_text(k, s, path);
}

static int read_bool(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                     struct err *e)
{
    if (v->type != CONF_BOOL)
        return wrong(e, "true or false", v);
    *(bool *)key_field(k, s) = v->flag;
    return 0;
}

static int read_count(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                      struct err *e)
{
    int64_t most = k->max ? k->max : INT64_MAX;
    if (v->type == CONF_INT && v->integer >= k->min && v->integer <= most)
        return set_number(k, s, v->integer);
    char range[64];
    if (most == INT64_MAX)
        snprintf(range, sizeof(range), "an integer >= %lld", (long long)k->min);
    else
        snprintf(range, sizeof(range), "an integer from %lld to %lld", (long long)k->min, (long long)most);
    return wrong(e, range, v);
}

/* A number with a unit: an integer, or a string that `parse` understands, in [min, most]. */
static int read_quantity(const struct conf_node *v, int (*parse)(const char *, int64_t *, struct err *),
                         const char *expected, int64_t min, int64_t most, int64_t *out, struct err *e)
{
    int64_t n = 0;
    if (v->type == CONF_INT)
        n = v->integer;
    else if (v->type != CONF_STRING || parse(v->text, &n, e) < 0)
        return wrong(e, expected, v);
    if (n < min || n > most)
        return wrong(e, expected, v);
    *out = n;
    return 0;
}

static int read_duration(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                         struct err *e)
{
    int64_t n = 0, most = k->max ? k->max : duration_most;
    char expected[128], bound[UNITS_TEXT], least[UNITS_TEXT];
    snprintf(expected, sizeof(expected), "a duration (500ms, 5s, 2m, 1h) of at most %s",
             units_show_duration(most, bound));
    if (!k->max)
        *strstr(expected, " of at most") = '\0';
    else if (k->min)
        snprintf(expected, sizeof(expected), "a duration (500ms, 5s, 2m, 1h) of at least %s and at most %s",
                 units_show_duration(k->min, least), bound);
    if (read_quantity(v, units_duration, expected, k->min, most, &n, e) < 0)
        return -1;
    return set_number(k, s, n);
}

static int read_size(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                     struct err *e)
{
    int64_t n = 0;
    if (read_quantity(v, units_size, "a size (64K, 150M, 1G)", k->min, size_most, &n, e) < 0)
        return -1;
    return set_number(k, s, n);
}

/* The strings of an array, each passed through `take` (which may refuse it). */
typedef int take_fn(const struct conf_node *item, const char *base, char **out, struct err *e);

static int read_array(const struct conf_node *v, take_fn *take, const char *base, char ***out, struct err *e)
{
    own_strv list = NULL;
    for (size_t i = 0; i < v->len; i++) {
        char *text = NULL;
        if (take(&v->items[i], base, &text, e) < 0)
            return err_in(e, "item %zu", i + 1);
        list = strv_take(list, text);
    }
    *out = steal(list);
    return 0;
}

static int any_string(const struct conf_node *item, const char *base, char **out, struct err *e)
{
    if (item->type != CONF_STRING)
        return wrong(e, "a string", item);
    *out = xstrdup(item->text);
    return 0;
}

static int read_strings(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                        struct err *e)
{
    char **list = NULL;
    if (v->type != CONF_ARRAY && v->type != CONF_STRING)
        return wrong(e, "an array of strings", v);
    int r = v->type == CONF_ARRAY ? read_array(v, any_string, base, &list, e)
                                  : text_split_words(v->text, &list, e);
    return r < 0 ? -1 : set_list(k, s, list);
}

static int read_paths(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                      struct err *e)
{
    const struct conf_node one = { .items = (struct conf_node *)v, .len = 1 }, *array = &one;
    if (v->type == CONF_ARRAY)
        array = v;
    else if (v->type != CONF_STRING)
        return wrong(e, "a path or an array of paths", v);
    char **list = NULL;
    if (read_array(array, full_path, base, &list, e) < 0)
        return -1;
    return set_list(k, s, list);
}

static int read_signal(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                       struct err *e)
{
    own_text text = v->type == CONF_INT ? xasprintf("%lld", (long long)v->integer) : shown(v);
    const char *name = v->type == CONF_STRING ? v->text : text;
    int number = v->type == CONF_STRING || v->type == CONF_INT ? key_signal_find(name) : 0;
    if (number)
        return set_number(k, s, number);
    wrong(e, "a signal (SIGTERM, INT, 15)", v);
    return key_signal_hint(name, e);
}

/* ---- the environment: every wrong entry is told, at its own place ---- */

static int env_pair(const struct conf_node *v, char **out, struct err *e)
{
    if (!*v->key || strchr(v->key, '='))
        return err_set(e, ERR_CONFIG, "a variable's name must not be empty or contain `=`");
    if (v->type != CONF_STRING && v->type != CONF_INT && v->type != CONF_FLOAT && v->type != CONF_BOOL)
        return wrong(e, "a string, a number or true or false", v);
    own_text text = v->type == CONF_STRING ? xstrdup(v->text) : shown(v);
    *out = xasprintf("%s=%s", v->key, text);
    return 0;
}

static int read_env(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                    struct err *e)
{
    if (v->type != CONF_TABLE)
        return wrong(e, "a table", v);
    own_strv env = NULL;
    for (size_t i = 0; i < v->len; i++) {
        char *pair = NULL;
        if (env_pair(&v->items[i], &pair, e) < 0)
            return err_in(e, "%s", v->items[i].key);
        env = strv_take(env, pair);
    }
    return set_list(k, s, steal(env));
}

static key_read_fn *const readers[KEY_SPECIAL + 1] = {
    [KEY_STRING] = read_string, [KEY_NAME] = read_name,       [KEY_PATH] = read_path,
    [KEY_BOOL] = read_bool,     [KEY_COUNT] = read_count,     [KEY_DURATION] = read_duration,
    [KEY_SIZE] = read_size,     [KEY_STRINGS] = read_strings, [KEY_PATHS] = read_paths,
    [KEY_SIGNAL] = read_signal, [KEY_ENV] = read_env,
};

static int read_key(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                    struct err *e)
{
    key_read_fn *read = k->read ? k->read : readers[k->type];
    assert(read); /* a KEY_SPECIAL row has its own */
    if (read(k, s, v, base, e) < 0)
        return -1;
    s->set |= key_bit(k);
    return 0;
}

/* ---- the special rows ---- */

int read_app_name(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                  struct err *e)
{
    if (v->type == CONF_STRING && strcmp(v->text, "all") == 0)
        return err_set(e, ERR_CONFIG, "no app can be called \"all\": it selects all of them");
    if (v->type == CONF_STRING && *v->text && strspn(v->text, "0123456789") == strlen(v->text))
        return err_set(e, ERR_CONFIG, "\"%.64s\" is only digits, as an id is: add a letter", v->text);
    return read_name(k, s, v, base, e);
}

int read_user(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
              struct err *e)
{
    if (v->type == CONF_INT && v->integer >= 0 && v->integer < UINT32_MAX)
        return set_text(k, s, xasprintf("%lld", (long long)v->integer));
    if (v->type != CONF_STRING || !*v->text)
        return wrong(e, "a name or an id", v);
    return set_text(k, s, xstrdup(v->text));
}

int read_json_text(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                   struct err *e)
{
    own_json parsed = NULL;
    if (v->type != CONF_STRING)
        return wrong(e, "a string that is JSON", v);
    if (json_parse(v->text, strlen(v->text), &parsed, e) < 0) {
        e->code = ERR_CONFIG;
        return err_in(e, "expected a string that is JSON");
    }
    return set_text(k, s, xstrdup(v->text));
}

/* The time zone is looked up as well: better now than at four in the morning. */
int read_cron(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
              struct err *e)
{
    struct cron c;
    own_zone zone = NULL;
    if (v->type != CONF_STRING)
        return wrong(e, "a cron expression (5 fields, 6 with seconds first, or @daily)", v);
    if (cron_parse(v->text, &c, e) < 0 || cron_zone(&c, &zone, e) < 0)
        return -1;
    return set_text(k, s, xstrdup(v->text));
}

int read_memory(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                struct err *e)
{
    if (read_size(k, s, v, base, e) < 0)
        return -1;
    size_t n = v->type == CONF_STRING ? strlen(v->text) : 0;
    bool bare = n == 0 || isdigit((unsigned char)v->text[n - 1]);
    if (!bare || s->max_memory_restart >= 1 << 20)
        return 0;
    long long bytes = s->max_memory_restart;
    s->max_memory_restart = 0;
    err_set(e, ERR_CONFIG, "%lld bytes is less than any program uses", bytes);
    return err_hint(e, "did you mean %lldM?", bytes);
}

int read_instances(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                   struct err *e)
{
    if (v->type == CONF_STRING && strcmp(v->text, "max") == 0)
        return set_number(k, s, INSTANCES_MAX);
    if (v->type != CONF_INT || v->integer < k->min || v->integer > k->max)
        return wrong(e, "an integer from 1 to 1024 or \"max\"", v);
    return set_number(k, s, v->integer);
}

int read_autorestart(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                     struct err *e)
{
    if (v->type == CONF_BOOL)
        s->autorestart = v->flag ? AUTORESTART_ON_FAILURE : AUTORESTART_NEVER;
    else if (v->type == CONF_STRING && strcmp(v->text, "on-failure") == 0)
        s->autorestart = AUTORESTART_ON_FAILURE;
    else if (v->type == CONF_STRING && strcmp(v->text, "always") == 0)
        s->autorestart = AUTORESTART_ALWAYS;
    else
        return wrong(e, "true, false, \"on-failure\" or \"always\"", v);
    return 0;
}

int read_exit_codes(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                    struct err *e)
{
    static const char expected[] = "an array of exit codes from 0 to 255";
    struct exit_codes codes = { 0 };
    if (v->type != CONF_ARRAY)
        return wrong(e, expected, v);
    for (size_t i = 0; i < v->len; i++) {
        const struct conf_node *item = &v->items[i];
        if (item->type != CONF_INT || item->integer < 0 || item->integer > 255)
            return wrong(e, expected, item);
        codes.bits[item->integer / 64] |= UINT64_C(1) << (item->integer % 64);
    }
    s->stop_exit_codes = codes;
    return 0;
}

static int variable_name(const struct conf_node *item, const char *base, char **out, struct err *e)
{
    if (item->type != CONF_STRING || !*item->text || strchr(item->text, '='))
        return wrong(e, "a variable's name", item);
    *out = xstrdup(item->text);
    return 0;
}

int read_inherit_env(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                     struct err *e)
{
    char **names = NULL;
    if (v->type != CONF_BOOL && v->type != CONF_ARRAY)
        return wrong(e, "true, false or an array of names", v);
    if (v->type == CONF_ARRAY && read_array(v, variable_name, base, &names, e) < 0)
        return -1;
    strv_free(s->inherit_env.names);
    s->inherit_env = (struct inherit_env){ .all = v->type == CONF_BOOL && v->flag, .names = names };
    return 0;
}

int read_backoff(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                 struct err *e)
{
    enum { FIRST_MS = 100 };
    if (v->type == CONF_BOOL)
        return set_number(k, s, v->flag ? FIRST_MS : 0);
    int64_t n = 0;
    if (read_quantity(v, units_duration, "true, false or a duration (500ms, 5s)", 0, duration_most, &n, e) <
        0)
        return -1;
    return set_number(k, s, n);
}

int read_watch(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
               struct err *e)
{
    if (v->type == CONF_ARRAY) {
        if (read_key(key_find("watch_paths"), s, v, base, e) < 0)
            return -1;
        s->watch = v->len > 0;
        return 0;
    }
    if (v->type != CONF_BOOL)
        return wrong(e, "true, false or an array of paths", v);
    s->watch = v->flag;
    return 0;
}

int read_log_type(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                  struct err *e)
{
    bool json = v->type == CONF_STRING && strcmp(v->text, "json") == 0;
    if (!json && !(v->type == CONF_STRING && strcmp(v->text, "raw") == 0))
        return wrong(e, "\"raw\" or \"json\"", v);
    s->log_type = json ? LOG_TYPE_JSON : LOG_TYPE_RAW;
    return 0;
}

/* Tried on a long date: a Wednesday in September, two digits everywhere; zones and other years get some room
 * more. */
int read_date_format(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                     struct err *e)
{
    enum { SPARE = 32 };
    static const struct tm long_date = {
        .tm_year = 126,
        .tm_mon = 8,
        .tm_mday = 30,
        .tm_hour = 22,
        .tm_min = 58,
        .tm_sec = 59,
        .tm_wday = 3,
        .tm_yday = 272,
    };
    char text[TIME_DATED - SPARE];
    if (v->type != CONF_STRING || !*v->text)
        return wrong(e, "a date format (strftime)", v);
    own_text one_more =
        xasprintf("%s.", v->text); /* 0 is too long then, and not a format that says nothing */
    size_t n = strftime(text, sizeof(text), one_more, &long_date);
    if (n == 0) {
        char expected[64];
        snprintf(expected, sizeof(expected), "a date format that makes at most %zu characters",
                 sizeof(text) - 2);
        wrong(e, expected, v);
        return err_hint(e, "it stands in front of each line: shorten it");
    }
    if (memchr(text, '\n', n)) {
        wrong(e, "a date format of one line", v);
        return err_hint(e, "leave the line break out: the date stands in front of each line by itself");
    }
    return set_text(k, s, xstrdup(v->text));
}

/* ---- a whole app ---- */

struct reading {
    const struct key_table *table;
    struct app_spec *s;
    const struct conf_node *app;
    const char *base, *profile;
    struct conf_problems *problems;
    uint64_t seen;         /* rows met so far: an alias is a second way to write a key */
    bool profiles;         /* may there be env_<profile> tables? */
    const json_t *lenient; /* where to take members from that are kept as they are; NULL: refuse them */
};

static void keep_unknown(struct reading *r, const char *key)
{
    if (!r->s->unknown)
        r->s->unknown = json_object();
    json_object_set(r->s->unknown, key, json_object_get(r->lenient, key));
}

static char *place_of(const struct reading *r, const char *key)
{
    return r->table->name ? xasprintf("%s.%s", r->table->name, key) : conf_node_place(r->app, key);
}

static void complain(struct reading *r, const struct conf_node *at, const char *key, const struct err *e)
{
    own_text place = place_of(r, key);
    conf_problem_add(r->problems, at, e->hint, "%s: %s", place, e->text);
}

static void unknown_key(struct reading *r, const struct conf_node *v)
{
    if (r->lenient) {
        keep_unknown(r, v->key);
        return;
    }
    const struct conf_node at = { .line = v->key_line, .col = v->key_col };
    const char *nearest = key_nearest_in(r->table, v->key);
    struct err e;
    err_set(&e, ERR_CONFIG, "unknown key");
    if (r->profiles && v->type == CONF_TABLE && conf_node_get(v, "script")) /* [apps.my.app] */
        err_hint(&e, "a name with a dot needs quotes: [apps.\"%s.%s\"]", r->app->key, v->key);
    else if (nearest)
        err_hint(&e, "did you mean %s?", nearest);
    complain(r, &at, v->key, &e);
}

/* Adds the variables of a table to env; each wrong one is a problem at its own place. */
static void add_env(struct reading *r, const struct conf_node *table, char ***env)
{
    own_vars vars = { 0 };
    for (size_t i = 0; i < table->len; i++) {
        const struct conf_node *v = &table->items[i];
        own_text pair = NULL;
        struct err e;
        if (env_pair(v, &pair, &e) == 0) {
            free(vars_put(&vars, steal(pair)));
            continue;
        }
        own_text key = xasprintf("%s.%s", table->key, v->key);
        complain(r, v, key, &e);
    }
    own_strv pairs = vars_steal(&vars);
    env_put_all(env, pairs);
}

/* Environment tables are checked whether chosen or not: a file is right or wrong as a whole. */
static void read_profile(struct reading *r, const struct conf_node *v, char ***chosen)
{
    bool mine = r->profile && strcmp(v->key + strlen("env_"), r->profile) == 0;
    own_strv ignored = NULL;
    add_env(r, v, mine ? chosen : &ignored);
}

static bool is_profile(const struct reading *r, const struct conf_node *v)
{
    return r->profiles && v->type == CONF_TABLE && text_starts(v->key, "env_") && v->key[4];
}

static void given_twice(struct reading *r, const struct conf_node *v, const struct key *k)
{
    if (r->lenient) {
        keep_unknown(r, v->key);
        return;
    }
    const struct conf_node at = { .line = v->key_line, .col = v->key_col };
    own_text place = place_of(r, v->key);
    conf_problem_add(r->problems, &at, NULL, "%s: given twice: %s is another name of %s", place,
                     k->aliases ? k->aliases[0] : "it", k->name);
}

static void read_member(struct reading *r, const struct conf_node *v, char ***profile_env)
{
    struct err e;
    const struct key *k = key_find_in(r->table, v->key);
    if (!k && is_profile(r, v)) {
        read_profile(r, v, profile_env);
    } else if (!k) {
        unknown_key(r, v);
    } else if (r->seen & key_bit(k)) {
        given_twice(r, v, k);
    } else if (k->type == KEY_ENV && v->type == CONF_TABLE && !r->lenient) {
        own_strv env = NULL;
        add_env(r, v, &env);
        set_list(k, r->s, steal(env));
        r->s->set |= key_bit(k);
    } else if (read_key(k, r->s, v, r->base, &e) < 0) {
        if (r->lenient)
            keep_unknown(r, v->key);
        else
            complain(r, v, v->key, &e);
    }
    if (k)
        r->seen |= key_bit(k);
}

static void read_members(struct reading *r)
{
    own_strv profile_env = NULL;
    for (size_t i = 0; i < r->app->len; i++)
        read_member(r, &r->app->items[i], &profile_env);
    env_put_all(&r->s->env, profile_env);
    if (profile_env)
        r->s->set |= key_bit(key_find("env"));
    if (r->table == &keys_table)
        keys_settle(r->s);
}

void keys_read_table(const struct key_table *t, struct app_spec *s, const struct conf_node *node,
                     const json_t *lenient, struct conf_problems *problems)
{
    struct reading r = { .table = t, .s = s, .app = node, .problems = problems, .lenient = lenient };
    read_members(&r);
}

void keys_read(struct app_spec *s, const struct conf_node *app, const char *base, const char *profile,
               struct conf_problems *problems)
{
    struct reading r = { .table = &keys_table,
                         .s = s,
                         .app = app,
                         .base = base,
                         .profile = profile,
                         .problems = problems,
                         .profiles = true };
    read_members(&r);
}

/* ---- from the wire ---- */

static int first_problem(const struct conf_problems *problems, struct err *e)
{
    const struct conf_problem *first = &problems->items[0];
    if (problems->len > 1)
        err_set(e, ERR_CONFIG, "%s (and %zu more)", first->text, problems->len - 1);
    else
        err_set(e, ERR_CONFIG, "%s", first->text);
    return first->hint ? err_hint(e, "%s", first->hint) : -1;
}

static int read_object(const struct conf_node *node, const json_t *lenient, struct app_spec **out,
                       struct err *e)
{
    own_app_spec s = app_spec_new();
    struct conf_problems problems = { 0 };
    keys_read_table(&keys_table, s, node, lenient, &problems);
    if (!lenient) {
        keys_check(s, node, &problems);
        if (!s->name && !conf_node_get(node, "name"))
            conf_problem_add(&problems, NULL, NULL, "name: missing");
    }
    int result = problems.len ? first_problem(&problems, e) : 0;
    conf_problems_done(&problems);
    if (result == 0)
        *out = steal(s);
    return result;
}

int keys_read_json(const json_t *o, bool lenient, struct app_spec **out, struct err *e)
{
    if (!json_is_object(o))
        return err_set(e, ERR_CONFIG, "an app's settings must be an object");
    struct conf_node node;
    conf_node_from_json(&node, o);
    int r = read_object(&node, lenient ? o : NULL, out, e);
    conf_node_done(&node);
    return r;
}

/* ---- one flag ---- */

static bool is_integer(const char *s, int64_t *out)
{
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)s[*s == '-']))
        return false;
    *out = strtoll(s, &end, 10);
    return !*end && !errno;
}

/* What a word on the command line would have been in a file: true, 15, or "text". */
static void node_from_word(struct conf_node *out, const char *word)
{
    *out = (struct conf_node){ .type = CONF_BOOL, .flag = strcmp(word, "true") == 0 };
    if (out->flag || strcmp(word, "false") == 0)
        return;
    if (is_integer(word, &out->integer)) {
        out->type = CONF_INT;
        return;
    }
    out->type = CONF_STRING;
    out->text = xstrdup(word);
}

static struct conf_node *add_item(struct conf_node *n)
{
    n->items = xrealloc(n->items, (n->len + 1) * sizeof(*n->items));
    n->items[n->len] = (struct conf_node){ 0 };
    return &n->items[n->len++];
}

static void node_from_list(struct conf_node *out, const char *text)
{
    *out = (struct conf_node){ .type = CONF_ARRAY };
    while (*text) {
        size_t n = strcspn(text, ",");
        own_text word = xstrndup(text, n);
        if (n)
            node_from_word(add_item(out), word);
        text += n + (text[n] == ',');
    }
}

static void node_from_pair(struct conf_node *out, const char *text)
{
    size_t n = strcspn(text, "=");
    *out = (struct conf_node){ .type = CONF_TABLE };
    struct conf_node *item = add_item(out);
    item->type = CONF_STRING;
    item->key = xstrndup(text, n);
    item->text = xstrdup(text[n] ? text + n + 1 : "");
}

static void node_from_text(struct conf_node *out, const struct key *k, const char *text)
{
    bool truth = strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
    if (k->type == KEY_ENV)
        node_from_pair(out, text);
    else if (k->flags & KEY_LIST && !truth)
        node_from_list(out, text);
    else if (k->type == KEY_BOOL || k->type == KEY_COUNT || k->type == KEY_SPECIAL)
        node_from_word(out, text);
    else
        *out = (struct conf_node){ .type = CONF_STRING, .text = xstrdup(text) };
}

int key_set_default(const struct key *k, struct app_spec *s, struct err *e)
{
    struct conf_node v;
    node_from_text(&v, k, k->def);
    int r = read_key(k, s, &v, "", e);
    conf_node_done(&v);
    return r;
}

static void add_texts(char ***to, char *const *from)
{
    for (; from && *from; from++)
        *to = strv_add(*to, *from);
}

/* The lists that are not of a list's type. */
static bool add_special(const struct key *k, struct app_spec *s, const struct app_spec *more)
{
    void *to = key_field(k, s);
    if (to == &s->stop_exit_codes)
        for (size_t i = 0; i < ARRAY_LEN(s->stop_exit_codes.bits); i++)
            s->stop_exit_codes.bits[i] |= more->stop_exit_codes.bits[i];
    else if (to == &s->inherit_env && s->inherit_env.names && more->inherit_env.names)
        add_texts(&s->inherit_env.names, more->inherit_env.names);
    else
        return false;
    return true;
}

/* `more` has been read from one flag; lists that s has from a flag before it grow. */
static void add_key(const struct key *k, struct app_spec *s, const struct app_spec *more)
{
    if (key_is_set(k, s) && add_special(k, s, more))
        return;
    bool list = k->type == KEY_STRINGS || k->type == KEY_PATHS;
    if (!key_is_set(k, s) || !(list || k->type == KEY_ENV)) {
        key_copy(k, s, more);
        return;
    }
    char ***to = key_field(k, s), **from = *(char ***)key_field(k, more);
    if (list)
        add_texts(to, from);
    else
        env_put_all(to, from);
}

static void take_keys(struct app_spec *s, struct app_spec *more)
{
    for (const struct key *k = keys; k < keys + keys_len; k++) {
        if (key_is_set(k, more))
            add_key(k, s, more);
        key_clear(k, more);
    }
    s->set |= more->set;
    keys_settle(s);
}

static void name_flag(const struct key *k, struct err *e)
{
    own_text flag = xstrdup(k->name);
    for (char *c = flag; *c; c++)
        *c = *c == '_' ? '-' : *c;
    err_in(e, "--%s", flag);
}

int keys_read_text(struct app_spec *s, const struct key *k, const char *value, const char *base,
                   struct err *e)
{
    bool bare = k->type == KEY_BOOL || k->flags & KEY_BARE;
    struct conf_node v = { .type = CONF_BOOL, .flag = true };
    struct app_spec one = { 0 };
    int r = 0;
    if (value)
        node_from_text(&v, k, value);
    else if (!bare)
        r = err_set(e, ERR_CONFIG, "needs a value (%s)", k->shape);
    if (r == 0)
        r = read_key(k, &one, &v, base, e);
    if (r == 0)
        take_keys(s, &one);
    else
        name_flag(k, e);
    conf_node_done(&v);
    return r;
}
