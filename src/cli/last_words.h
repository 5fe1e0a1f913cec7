/* src/cli/last_words.h: the end of an app's error log, shown where it is said that the app gave up. */
#pragma once
#include "base/text.h"

/* Adds the last `lines` lines of the file to out, each behind `prefix`; nothing when there is no such file.
 */
void last_words(struct buf *out, const char *path, size_t lines, const char *prefix);
