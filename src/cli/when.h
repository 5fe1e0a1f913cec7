/* src/cli/when.h: points in time as people write them: 10m (ago), 14:30, 2026-11-23 14:30:05, @1795402451. */
#pragma once
#include "base/text.h"

/* Wall us. A time of day is the last one there was (today's, or yesterday's); a day is its beginning; RFC
 * 3339 as others print it is taken too. ERR_USAGE: says what is. */
must_check int when_parse(const char *s, int64_t now_us, int64_t *out_us, struct err *e);
