/* src/base/log.h: the program's own log, on stderr (velosd.log for the daemon): one line a message,
 * "2026-11-23T02:54:11.123Z info  velosd[12]: api 0: online". Lines are built whole and written with one
 * write(2): a full disk or a closed stderr loses lines. (And a disk that hangs costs time: base/scribe.h.) */
#pragma once
#include "base/def.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_open(const char *program, enum log_level least);
void log_at(enum log_level level, const char *fmt, ...) printf_like(2, 3);

/* Whole lines, with their newlines. log_write() is what they are given to unless diverted (base/scribe.h). */
typedef void log_taker(const char *lines, size_t len);
log_taker log_write;
void log_divert(log_taker *to);

#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
