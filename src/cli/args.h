/* src/cli/args.h: the words of a command line, sorted: options by their rows, settings by the key table,
 * the rest in order. Options may stand anywhere before `--`. */
#pragma once
#include "conf/keys.h"

enum opt_type { OPT_FLAG, OPT_TEXT, OPT_COUNT };

struct opt {
    char letter; /* or 0 */
    const char *name;
    enum opt_type type;
    const char *about;
    const char *value; /* what help calls it: "FILE"; options of type OPT_FLAG have none */
};

enum { ARGS_ANY = 1 << 20 };
struct args_rule {
    size_t min, max;             /* words */
    bool rest;                   /* what stands behind `--` is kept apart */
    bool numbers;                /* -2 is a word */
    bool settings;               /* --max-restarts 3: options from the key table, too */
    const struct opt *tables[2]; /* of options, each ended by a row without a name; may be NULL */
};

struct given {
    const struct opt *opt; /* one of these two */
    const struct key *key;
    const char *value; /* NULL: bare */
};

struct args {
    const char **words, **rest; /* NULL-terminated; the strings are argv's own */
    size_t n_words, n_rest;
    struct given *given;
    size_t n_given;
};

/* ERR_USAGE names the option, and the nearest one. `words` is NULL-terminated. */
must_check int args_parse(const struct args_rule *rule, char *const *words, struct args *out, struct err *e);
void args_done(struct args *a);

bool args_has(const struct args *a, const char *option);
const char *args_text(const struct args *a, const char *option, const char *fallback); /* the last one wins */
int64_t args_count(const struct args *a, const char *option, int64_t fallback);

/* --treekill and --no-treekill, in place of --treekill=true: settings that can be a bare flag. */
bool args_key_is_switch(const struct key *k);
char args_key_letter(const struct key *k); /* 'n' for name; mostly 0 */
char *args_key_flag(const struct key *k);  /* "max-memory-restart"; the caller frees */
