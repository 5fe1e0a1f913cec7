#include "cli/args.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool args_key_is_switch(const struct key *k)
{
    return k->type == KEY_BOOL || k->flags & KEY_BARE;
}

char *args_key_flag(const struct key *k)
{
    char *flag = xstrdup(k->name);
    for (char *c = flag; (c = strchr(c, '_'));)
        *c = '-';
    return flag;
}

/* Settings worth a letter. */
static const struct {
    char letter;
    const char *key;
} key_letters[] = { { 'n', "name" }, { 'i', "instances" } };

char args_key_letter(const struct key *k)
{
    for (size_t i = 0; i < ARRAY_LEN(key_letters); i++)
        if (strcmp(key_letters[i].key, k->name) == 0)
            return key_letters[i].letter;
    return 0;
}

static const struct key *find_key_letter(char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(key_letters); i++)
        if (key_letters[i].letter == letter)
            return key_find(key_letters[i].key);
    return NULL;
}

/* The key of --max-memory-restart or --node-args, n bytes long. */
static const struct key *find_key(const char *flag, size_t n)
{
    own_text name = xstrndup(flag, n);
    for (char *c = name; (c = strchr(c, '-'));)
        *c = '_';
    const struct key *k = key_find(name);
    return k && !(k->flags & KEY_FILE_ONLY) ? k : NULL;
}

static const struct opt *find_opt(const struct args_rule *rule, const char *name, size_t n, char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(rule->tables); i++)
        for (const struct opt *o = rule->tables[i]; o && o->name; o++)
            if (letter ? o->letter == letter : strlen(o->name) == n && memcmp(o->name, name, n) == 0)
                return o;
    return NULL;
}

static void suggest(const struct args_rule *rule, const char *name, size_t n, struct err *e)
{
    own_strv names = NULL;
    for (size_t i = 0; i < ARRAY_LEN(rule->tables); i++)
        for (const struct opt *o = rule->tables[i]; o && o->name; o++)
            names = strv_add(names, o->name);
    for (const struct key *k = keys; rule->settings && k < keys + keys_len; k++)
        if (!(k->flags & KEY_FILE_ONLY))
            names = strv_take(names, args_key_flag(k));
    own_text word = xstrndup(name, n);
    const char *nearest = names ? text_nearest(word, (const char *const *)names) : NULL;
    if (nearest)
        err_hint(e, "did you mean --%s?", nearest);
}

static int check_value(const struct opt *o, const char *value, struct err *e)
{
    if (o->type != OPT_COUNT)
        return 0;
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (errno || end == value || *end || n < 0)
        return err_set(e, ERR_USAGE, "--%s: `%s` is not a number", o->name, value);
    return 0;
}

static void give(struct args *out, const struct opt *o, const struct key *k, const char *value)
{
    out->given[out->n_given++] = (struct given){ o, k, value };
}

/* The value of an option that needs one: behind the `=`, or the next word, which *at then moves to. */
static const char *value_of(const char *attached, char *const **at)
{
    if (attached)
        return attached;
    if (!(*at)[1])
        return NULL;
    return *++*at;
}

static int take_opt(const struct opt *o, const char *attached, char *const **at, struct args *out,
                    struct err *e)
{
    if (o->type == OPT_FLAG && attached)
        return err_set(e, ERR_USAGE, "--%s takes no value", o->name);
    const char *value = o->type == OPT_FLAG ? NULL : value_of(attached, at);
    if (o->type != OPT_FLAG && !value)
        return err_set(e, ERR_USAGE, "--%s needs a value: --%s %s", o->name, o->name,
                       o->value ? o->value : "N");
    if (value && check_value(o, value, e) < 0)
        return -1;
    give(out, o, NULL, value);
    return 0;
}

static int take_key(const struct key *k, const char *attached, char *const **at, struct args *out,
                    struct err *e)
{
    const char *value = args_key_is_switch(k) ? attached : value_of(attached, at);
    if (!value && !args_key_is_switch(k))
        return err_set(e, ERR_USAGE, "%s needs a value: %s", **at, k->shape ? k->shape : "text");
    give(out, NULL, k, value);
    return 0;
}

static int take_long(const struct args_rule *rule, char *const **at, struct args *out, struct err *e)
{
    const char *name = **at + 2;
    size_t n = strcspn(name, "=");
    const char *attached = name[n] ? name + n + 1 : NULL;
    const struct opt *o = find_opt(rule, name, n, 0);
    if (o)
        return take_opt(o, attached, at, out, e);

    const struct key *k = rule->settings ? find_key(name, n) : NULL;
    if (k)
        return take_key(k, attached, at, out, e);
    k = rule->settings && n > 3 && text_starts(name, "no-") ? find_key(name + 3, n - 3) : NULL;
    if (k && args_key_is_switch(k)) {
        if (attached)
            return err_set(e, ERR_USAGE, "--%.*s takes no value", (int)n, name);
        give(out, NULL, k, "false");
        return 0;
    }
    err_set(e, ERR_USAGE, "unknown option `--%.*s`", (int)n, name);
    suggest(rule, name, n, e);
    return -1;
}

/* -f, -fj, -n5, -n 5 */
static int take_letters(const struct args_rule *rule, char *const **at, struct args *out, struct err *e)
{
    for (const char *c = **at + 1; *c; c++) {
        const char *attached = c[1] ? c + 1 : NULL;
        const struct opt *o = find_opt(rule, NULL, 0, *c);
        const struct key *k = !o && rule->settings ? find_key_letter(*c) : NULL;
        if (k)
            return take_key(k, attached, at, out, e);
        if (!o)
            return err_set(e, ERR_USAGE, "unknown option `-%c`", *c);
        if (o->type != OPT_FLAG)
            return take_opt(o, attached, at, out, e);
        give(out, o, NULL, NULL);
    }
    return 0;
}

static int take_word(const struct args_rule *rule, char *const **at, struct args *out, struct err *e)
{
    const char *word = **at;
    bool number = rule->numbers && isdigit((unsigned char)word[1]);
    if (word[0] != '-' || !word[1] || number) { /* "-" alone is a word */
        out->words[out->n_words++] = word;
        return 0;
    }
    return word[1] == '-' ? take_long(rule, at, out, e) : take_letters(rule, at, out, e);
}

static void take_rest(const struct args_rule *rule, char *const *at, struct args *out)
{
    for (; *at; at++)
        if (rule->rest)
            out->rest[out->n_rest++] = *at;
        else
            out->words[out->n_words++] = *at;
}

int args_parse(const struct args_rule *rule, char *const *words, struct args *out, struct err *e)
{
    size_t most = 1;
    for (char *const *w = words; *w; w++)
        most += strlen(*w); /* a word of n letters can be n - 1 options */
    *out = (struct args){
        .words = xcalloc(most + 1, sizeof(*out->words)),
        .rest = xcalloc(most + 1, sizeof(*out->rest)),
        .given = xcalloc(most + 1, sizeof(*out->given)),
    };
    for (char *const *at = words; *at; at++) {
        if (strcmp(*at, "--") == 0) {
            take_rest(rule, at + 1, out);
            break;
        }
        if (take_word(rule, &at, out, e) < 0)
            return -1;
    }
    return 0;
}

void args_done(struct args *a)
{
    free(a->words);
    free(a->rest);
    free(a->given);
    *a = (struct args){ 0 };
}

static const struct given *find(const struct args *a, const char *option)
{
    for (size_t i = a->n_given; i-- > 0;)
        if (a->given[i].opt && strcmp(a->given[i].opt->name, option) == 0)
            return &a->given[i];
    return NULL;
}

bool args_has(const struct args *a, const char *option)
{
    return find(a, option);
}

const char *args_text(const struct args *a, const char *option, const char *fallback)
{
    const struct given *g = find(a, option);
    return g ? g->value : fallback;
}

int64_t args_count(const struct args *a, const char *option, int64_t fallback)
{
    const struct given *g = find(a, option);
    return g ? strtoll(g->value, NULL, 10) : fallback;
}
