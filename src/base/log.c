#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"

static const char *program_name = "velos";
static enum log_level least_level = LOG_INFO;
static log_taker *taker = log_write;

void log_open(const char *program, enum log_level least)
{
    program_name = program;
    least_level = least;
}

void log_write(const char *lines, size_t len)
{
    if (write(STDERR_FILENO, lines, len) < 0) {
        /* a lost line is the lesser harm */
    }
}

void log_divert(log_taker *to)
{
    taker = to;
}

void log_at(enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    if (level < least_level)
        return;
    int saved = errno;
    char line[1024], text[1024], when[TIME_TEXT];
    int n = snprintf(line, sizeof(line) - TEXT_SHOWN, "%s %-5s %s[%d]: ", time_rfc3339(time_wall_ms(), when),
                     names[level], program_name, (int)getpid());
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    size_t len = (size_t)n;
    for (const char *p = text; *p && len + TEXT_SHOWN < sizeof(line); len += strlen(line + len))
        p += text_show(p, line + len);
    line[len++] = '\n';
    taker(line, len);
    errno = saved;
}
