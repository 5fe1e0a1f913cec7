/* src/conf/keys.h: the table of app settings. Parsing, defaults, ranges, "did you mean", merging, CLI
 * flags, help, man page, JSON in and out and the example file all read these rows, and nothing else
 * knows a key by name. */
#pragma once
#include "base/json.h"
#include "conf/node.h"
#include "conf/spec.h"

enum key_type {
    KEY_STRING,
    KEY_NAME, /* 1-64 of letters, digits, . _ - */
    KEY_PATH, /* relative ones are joined to the file's folder (or the caller's cwd) */
    KEY_BOOL,
    KEY_COUNT,    /* integer in [min, max] */
    KEY_DURATION, /* ms */
    KEY_SIZE,     /* bytes */
    KEY_STRINGS,  /* array of strings, or a string that is split into words */
    KEY_PATHS,    /* path or array of paths */
    KEY_SIGNAL,   /* "SIGTERM" "TERM" 15 */
    KEY_ENV,      /* table */
    KEY_SPECIAL,  /* one of the few with a shape of its own: row->read / row->write */
};

struct key;
typedef int key_read_fn(const struct key *k, struct app_spec *s, const struct conf_node *v, const char *base,
                        struct err *e);
typedef void key_write_fn(const struct key *k, const struct app_spec *s, struct json_out *out);

struct key {
    const char *name;           /* as in TOML and JSON: max_memory_restart */
    const char *const *aliases; /* NULL-terminated, or NULL */
    enum key_type type;
    size_t offset, size; /* of the field in struct app_spec */
    const char *def;     /* the default as one would write it, or NULL */
    const char *example; /* a value as in TOML, for keys without a default */
    int64_t min, max;    /* for numbers; max 0: no bound above (what the unit's reader takes) */
    unsigned flags;
    const char *shape; /* for people: "bool or duration" */
    const char *about; /* one line of help */
    key_read_fn *read; /* in place of the type's own way; NULL: that */
    key_write_fn *write;
};
enum {
    KEY_REQUIRED = 1,
    KEY_FILE_ONLY = 2, /* no CLI flag of that name */
    KEY_LIST = 4,      /* as text: items with commas between */
    KEY_BARE = 8,      /* the flag may stand alone: --watch (a KEY_BOOL's always may) */
};

extern const struct key keys[];
extern const size_t keys_len; /* at most 64: struct app_spec.set */

/* Rows that are read together. Those of an app are `keys`; the daemon's own (conf/settings.h) are of another
 * struct, which begins with a struct app_spec. */
struct key_table {
    const struct key *rows;
    size_t len;
    const char *name; /* in front of a key in messages: "daemon"; NULL: apps.<name> */
};
extern const struct key_table keys_table;
const struct key *key_find_in(const struct key_table *t, const char *name);
const char *key_nearest_in(const struct key_table *t, const char *name);

const struct key *key_find(const char *name); /* by name or alias; NULL */
const char *key_nearest(const char *name);    /* the key (or alias) that was probably meant; NULL */
bool key_is_set(const struct key *k, const struct app_spec *s);
void key_copy(const struct key *k, struct app_spec *to, const struct app_spec *from); /* its field, deeply */
void key_clear(const struct key *k, struct app_spec *s);                              /* frees its field */
void key_set_text(const struct key *k, struct app_spec *s, char *take_text);
void key_set_list(const struct key *k, struct app_spec *s, char **take_list);

int key_signal_find(const char *name);       /* "SIGTERM" "term" "15" "SIGRTMIN+3"; 0: no such signal */
const char *key_signal_name(int64_t number); /* "SIGTERM", the same on all systems; NULL: it has none */
/* For a name that key_signal_find does not know: what was probably meant, or what there is. Returns -1. */
int key_signal_hint(const char *name, struct err *e);

/* Reads every member of the table node `app` into s. Errors go to `problems`, all of them, each with
 * the position of its node; the spec then holds what was right. base is the folder relative paths are
 * joined to (NULL: a relative path is an error; "": it stays as written). `profile` (may be NULL) is
 * merged over env. */
void keys_read(struct app_spec *s, const struct conf_node *app, const char *base, const char *profile,
               struct conf_problems *problems);

/* One key from text, as on the command line: --max-memory-restart 150M. value NULL: a bare --flag.
 * A list that is set already grows: flags may be repeated. The error names the flag. */
must_check int keys_read_text(struct app_spec *s, const struct key *k, const char *value, const char *base,
                              struct err *e);

/* The parts that need not know what an app is. lenient: an object whose members are kept when they cannot be
 * read; NULL: they are problems. */
void keys_read_table(const struct key_table *t, struct app_spec *s, const struct conf_node *node,
                     const json_t *lenient, struct conf_problems *problems);
void keys_write_table(const struct key_table *t, const struct app_spec *s, struct json_out *out,
                      const char *key);
must_check int key_set_default(const struct key *k, struct app_spec *s, struct err *e);

/* What cannot be seen key by key (required keys, contradictions). Positions are `at`'s. */
void keys_check(const struct app_spec *s, const struct conf_node *at, struct conf_problems *problems);

/* What `over` has set wins; its env variables are added to those of s one by one. */
void keys_merge(struct app_spec *s, const struct app_spec *over);

/* The wire, keeper entries and state.json: an object with the keys that were set. Reading keeps unknown
 * members when `lenient` (entries of another version), and members whose value it cannot read likewise:
 * the field is then at its default. Otherwise (a client's request) both are errors, as are a missing name
 * or script, a relative path and what keys_check finds. */
void keys_write_json(const struct app_spec *s, struct json_out *out, const char *key);
must_check int keys_read_json(const json_t *o, bool lenient, struct app_spec **out, struct err *e);

void keys_write_markdown(struct buf *out); /* docs/settings.md */

/* The keys of an app's table but `script`, as TOML comments: each with what it means and its default, or an
 * example. Any of them may be uncommented. env, a table, comes last: [apps.<table>.env]. */
void keys_write_example(struct buf *out, const char *table);
