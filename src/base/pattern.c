#include "base/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_STEPS = 20000 }; /* of a match: some 0.2 ms; a name's takes a few for each of its letters */

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits; /* NULL: the library's own */
    pcre2_match_data *data;
    int last; /* what the last look came to */
    char why[120];
};

static int compile(const char *text, struct pattern **out, struct err *e)
{
    int number;
    PCRE2_SIZE at;
    /* Lines may be anything: what is not UTF-8 in them matches nothing but itself. */
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, strlen(text), PCRE2_UTF | PCRE2_MATCH_INVALID_UTF,
                                     &number, &at, NULL);
    if (!code) {
        PCRE2_UCHAR why[120];
        pcre2_get_error_message(number, why, sizeof(why));
        return err_set(e, ERR_USAGE, "`%.60s` is no regular expression: %s, at character %zu", text,
                       (const char *)why, at + 1);
    }
    struct pattern *p = xnew(struct pattern);
    p->code = code;
    p->data = pcre2_match_data_create_from_pattern(code, NULL);
    p->last = PCRE2_ERROR_NOMATCH;
    *out = p;
    return 0;
}

int pattern_new(const char *text, struct pattern **out, struct err *e)
{
    if (compile(text, out, e) < 0)
        return -1;
    pcre2_jit_compile((*out)->code, PCRE2_JIT_COMPLETE); /* where there is none it is interpreted */
    return 0;
}

int pattern_from_word(const char *word, struct pattern **out, struct err *e)
{
    own_text text = xstrndup(word + 1, strlen(word) - 2);
    if (compile(text, out, e) < 0)
        return -1;
    (*out)->limits = pcre2_match_context_create(NULL);
    pcre2_set_match_limit((*out)->limits, WORD_STEPS);
    return 0;
}

struct pattern *pattern_free(struct pattern *p)
{
    if (!p)
        return NULL;
    pcre2_match_data_free(p->data);
    pcre2_match_context_free(p->limits);
    pcre2_code_free(p->code);
    free(p);
    return NULL;
}

bool pattern_find(struct pattern *p, const char *line, size_t n, size_t from, size_t *start, size_t *end)
{
    int r = pcre2_match(p->code, (PCRE2_SPTR)line, n, from, 0, p->data, p->limits);
    if (r == PCRE2_ERROR_JIT_STACKLIMIT) /* a long line: the interpreter has more room */
        r = pcre2_match(p->code, (PCRE2_SPTR)line, n, from, PCRE2_NO_JIT, p->data, p->limits);
    p->last = r;
    if (r < 1)
        return false;
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->data);
    *start = at[0];
    *end = at[1];
    return true;
}

const char *pattern_gave_up(struct pattern *p)
{
    if (p->last > 0 || p->last == PCRE2_ERROR_NOMATCH)
        return NULL;
    pcre2_get_error_message(p->last, (PCRE2_UCHAR *)p->why, sizeof(p->why));
    return p->why;
}

bool pattern_matches(struct pattern *p, const char *line, size_t n)
{
    size_t start, end;
    return pattern_find(p, line, n, 0, &start, &end);
}
