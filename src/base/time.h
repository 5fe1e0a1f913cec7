/* src/base/time.h: two clocks, in ms. Monotonic for durations and deadlines, wall for people and cron. */
#pragma once
#include "base/text.h"

int64_t time_mono_ms(void); /* CLOCK_MONOTONIC: the same line for all processes of one boot */
int64_t time_wall_ms(void); /* since 1970, UTC */

/* "2026-11-23T02:54:11.123Z" (RFC 3339). out holds TIME_TEXT bytes. */
enum { TIME_TEXT = 32 };
const char *time_rfc3339(int64_t wall_ms, char out[TIME_TEXT]);

/* What a date format of people's (strftime(3)) may make of any time, with its NUL: it makes nothing at all of
 * one that needs more room, so longer ones are refused where they are read (conf/). */
enum { TIME_DATED = 256 };
