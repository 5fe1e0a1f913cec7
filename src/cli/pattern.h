/* src/cli/pattern.h: regular expressions of people: PCRE2, UTF-8. */
#pragma once
#include "base/text.h"

struct pattern;
must_check int pattern_new(const char *text, struct pattern **out, struct err *e); /* ERR_USAGE says where */
struct pattern *pattern_free(struct pattern *p);

/* A look may be given up, for it takes too many steps or too much memory: then there is no match. Of the last
 * look: PCRE2's word for why; NULL: it was not. Belongs to the pattern. */
const char *pattern_gave_up(struct pattern *p);

bool pattern_matches(struct pattern *p, const char *line, size_t n);
/* The first match at `from` or later; false: none. */
bool pattern_find(struct pattern *p, const char *line, size_t n, size_t from, size_t *start, size_t *end);
