/* src/base/units.h: durations and sizes as people write and read them. */
#pragma once
#include "base/text.h"

/* "500ms" "5s" "2m" "1h" "1d", "1.5s", or a bare integer: ms. Refuses negatives, unknown units and
 * anything past 10,000 days. On -1 the text says what was expected. */
must_check int units_duration(const char *s, int64_t *out_ms, struct err *e);

/* "150M" "1G" "64K" "10MB" "1.5GiB", or a bare integer: bytes. 1024-based throughout. */
must_check int units_size(const char *s, int64_t *out_bytes, struct err *e);

enum { UNITS_TEXT = 24 };
const char *units_show_duration(int64_t ms, char out[UNITS_TEXT]); /* exact, for files: "5s" "1500ms" "2m" */
const char *units_show_uptime(int64_t ms, char out[UNITS_TEXT]);   /* two units for people: "3d 4h" "12s" */
const char *units_show_size(int64_t bytes, char out[UNITS_TEXT]);  /* "52.3M" "812K" */
