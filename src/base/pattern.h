/* src/base/pattern.h: regular expressions of people: PCRE2, UTF-8. */
#pragma once
#include <string.h>

#include "base/text.h"

struct pattern;
must_check int pattern_new(const char *text, struct pattern **out, struct err *e); /* ERR_USAGE says where */
/* The word a person selects names with, "/regex/". Its looks take few steps: velosd waits for them. */
static inline bool pattern_is_word(const char *word)
{
    size_t n = strlen(word);
    return n > 2 && word[0] == '/' && word[n - 1] == '/';
}
must_check int pattern_from_word(const char *word, struct pattern **out, struct err *e);
struct pattern *pattern_free(struct pattern *p);

/* A look may be given up, for it takes too many steps or too much memory: then there is no match. Of the last
 * look: PCRE2's word for why; NULL: it was not. Belongs to the pattern. */
const char *pattern_gave_up(struct pattern *p);

bool pattern_matches(struct pattern *p, const char *line, size_t n);
/* The first match at `from` or later; false: none. */
bool pattern_find(struct pattern *p, const char *line, size_t n, size_t from, size_t *start, size_t *end);
