/* src/base/log.h: the program's own log, on stderr (velosd.log for the daemon): one line a message,
 * "2026-11-23T02:54:11.123Z info  velosd[12]: api 0: online". Lines are built whole and written with one
 * write(2); a full disk or a closed stderr loses lines, never time. */
#pragma once
#include "base/def.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_open(const char *program, enum log_level least);
void log_at(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
