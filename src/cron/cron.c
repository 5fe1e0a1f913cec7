#include "cron/cron.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/calendar.h"

/* Reading ---------------------------------------------------------------------------------------------- */

static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun",
                                      "jul", "aug", "sep", "oct", "nov", "dec" };
static const char *const weekdays[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

enum { SECOND, MINUTE, HOUR, MONTH_DAY, MONTH, WEEKDAY, FIELDS };
static const struct field {
    const char *name;
    int min, max;
    const char *const *words; /* of the values from min on; or NULL */
    size_t n_words;
} fields[FIELDS] = {
    [SECOND] = { "second", 0, 59, NULL, 0 },
    [MINUTE] = { "minute", 0, 59, NULL, 0 },
    [HOUR] = { "hour", 0, 23, NULL, 0 },
    [MONTH_DAY] = { "day of month", 1, 31, NULL, 0 },
    [MONTH] = { "month", 1, 12, months, ARRAY_LEN(months) },
    [WEEKDAY] = { "day of week", 0, 7, weekdays, ARRAY_LEN(weekdays) },
};

static const struct {
    const char *name, *means;
} macros[] = {
    { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
    { "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
    { "@hourly", "0 * * * *" },
};

struct part { /* of a list, while it is read */
    const struct field *f;
    const char *text, *at;
    int n; /* of text */
    struct err *e;
};

static int wrong(const struct part *p, const char *fmt, ...) printf_like(2, 3);
static int wrong(const struct part *p, const char *fmt, ...)
{
    own_buf why = { 0 };
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&why, fmt, ap);
    va_end(ap);
    return err_set(p->e, ERR_CONFIG, "%s `%.*s`: %s", p->f->name, MIN(p->n, 40), p->text, why.data);
}

static int read_word(struct part *p, size_t n, int *out)
{
    for (size_t i = 0; i < p->f->n_words; i++)
        if (n == 3 && strncasecmp(p->at, p->f->words[i], 3) == 0) {
            *out = p->f->min + (int)i;
            p->at += n;
            return 0;
        }
    if (p->f->n_words)
        return wrong(p, "a number from %d to %d is expected, or a name (%s, %s ...)", p->f->min, p->f->max,
                     p->f->words[0], p->f->words[1]);
    return wrong(p, "a number from %d to %d is expected", p->f->min, p->f->max);
}

static int read_number(struct part *p, int *out)
{
    int n = 0;
    const char *from = p->at;
    for (; isdigit((unsigned char)*p->at) && n <= 999; p->at++)
        n = n * 10 + (*p->at - '0');
    if (p->at == from || isalnum((unsigned char)*p->at))
        return wrong(p, "a whole number is expected behind %c", from[-1]);
    *out = n;
    return 0;
}

static int read_value(struct part *p, int *out)
{
    size_t letters = 0;
    if (!isdigit((unsigned char)*p->at)) {
        while (isalpha((unsigned char)p->at[letters]))
            letters++;
        return read_word(p, letters, out);
    }
    int n = 0;
    while (isdigit((unsigned char)*p->at) && n <= 999)
        n = n * 10 + (*p->at++ - '0');
    if (n < p->f->min || n > p->f->max || isalpha((unsigned char)*p->at))
        return wrong(p, "a number from %d to %d is expected", p->f->min, p->f->max);
    *out = n;
    return 0;
}

/* `*`, `?`, a value or a range; *open: it has no upper end of its own. */
static int read_range(struct part *p, int *low, int *high, bool *open)
{
    int last = p->f == &fields[WEEKDAY] ? 6 : p->f->max;
    *open = true;
    *high = last;
    if (*p->at == '*' || *p->at == '?') {
        bool day = p->f == &fields[MONTH_DAY] || p->f == &fields[WEEKDAY];
        if (*p->at == '?' && !day)
            return wrong(p, "? is for the two day fields: * means any %s", p->f->name);
        *low = p->f->min;
        p->at++;
        return 0;
    }
    if (read_value(p, low) < 0)
        return -1;
    if (*p->at != '-')
        return 0;
    p->at++;
    *open = false;
    if (read_value(p, high) < 0)
        return -1;
    if (p->f == &fields[WEEKDAY] && *high == 0 && *low > 0)
        *high = 7; /* fri-sun */
    return *low <= *high ? 0 : wrong(p, "the range runs backwards");
}

static int read_step(struct part *p, int low, int high, int *step)
{
    p->at++;
    if (read_number(p, step) < 0)
        return -1;
    if (*step == 0)
        return wrong(p, "a step of 0 goes nowhere");
    if (*step > high - low && *step > 1)
        return wrong(p, "a step of %d is longer than the range %d-%d: it would only ever be %d", *step, low,
                     high, low);
    return 0;
}

static bool read_last_day(struct part *p, struct cron *c)
{
    if (p->f != &fields[MONTH_DAY] || (*p->at != 'L' && *p->at != 'l'))
        return false;
    p->at++;
    c->last_day = true;
    return true;
}

/* What a list, a range, a step says, as bits. Behind it p->at is at a comma or at the end. */
static int read_item(struct part *p, struct cron *c, uint64_t *bits)
{
    int low = 0, high = 0, step = 1;
    bool open;
    if (read_last_day(p, c))
        return p->at == p->text + p->n || *p->at == ','
                   ? 0
                   : wrong(p, "nothing may follow L, the last day of a month");
    bool any = *p->at == '*' || *p->at == '?';
    if (read_range(p, &low, &high, &open) < 0)
        return -1;
    if (*p->at == '/') {
        if (read_step(p, low, high, &step) < 0)
            return -1;
    } else if (open && !any) {
        high = low; /* one value */
    }
    if (p->at != p->text + p->n && *p->at != ',')
        return wrong(p, "`%.*s` is not understood", (int)(p->text + p->n - p->at), p->at);
    for (int v = low; v <= high; v += step)
        *bits |= UINT64_C(1) << (p->f == &fields[WEEKDAY] && v == 7 ? 0 : v);
    return 0;
}

static int read_field(const struct field *f, const char *text, size_t n, struct cron *c, uint64_t *bits,
                      struct err *e)
{
    struct part p = { .f = f, .text = text, .at = text, .n = (int)n, .e = e };
    for (;; p.at++) {
        if (p.at == text + n || *p.at == ',')
            return wrong(&p, "something is missing in the list");
        if (read_item(&p, c, bits) < 0)
            return -1;
        if (p.at == text + n)
            return 0;
    }
}

static bool is_any(const char *field)
{
    return *field == '*' || *field == '?';
}

static int read_fields(char *const *words, struct cron *c, struct err *e)
{
    uint64_t bits[FIELDS] = { 0 };
    size_t first = strv_len(words) == 6 ? SECOND : MINUTE;
    if (first == MINUTE)
        bits[SECOND] = 1;
    for (size_t i = first; i < FIELDS; i++)
        if (read_field(&fields[i], words[i - first], strlen(words[i - first]), c, &bits[i], e) < 0)
            return -1;
    c->second = bits[SECOND];
    c->minute = bits[MINUTE];
    c->hour = (uint32_t)bits[HOUR];
    c->day = (uint32_t)bits[MONTH_DAY];
    c->month = (uint32_t)bits[MONTH];
    c->weekday = (uint8_t)bits[WEEKDAY];
    c->any_day = is_any(words[MONTH_DAY - first]);
    c->any_weekday = is_any(words[WEEKDAY - first]);
    return 0;
}

static char **split(const char *text)
{
    char **words = NULL;
    for (size_t n; *(text += strspn(text, " \t")); text += n) {
        n = strcspn(text, " \t");
        words = strv_take(words, xstrndup(text, n));
    }
    return words;
}

static int read_macro(const char *word, struct cron *c, struct err *e)
{
    const char *names[ARRAY_LEN(macros) + 1] = { 0 };
    if (strcasecmp(word, "@reboot") == 0) {
        err_set(e, ERR_CONFIG, "@reboot is not a time at which a running app could be restarted");
        return err_hint(e, "apps that velos knows are started with it (autostart = true)");
    }
    for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
        if (strcasecmp(macros[i].name, word) == 0) {
            own_strv words = split(macros[i].means);
            return read_fields(words, c, e);
        }
        names[i] = macros[i].name;
    }
    const char *near = text_nearest(word, names);
    err_set(e, ERR_CONFIG, "no macro `%.40s`", word);
    return near ? err_hint(e, "did you mean %s?", near)
                : err_hint(e, "there are @hourly @daily @weekly @monthly @yearly");
}

static int read_zone(const char *word, struct cron *c, struct err *e)
{
    const char *name = word + strlen("TZ=");
    if (!*name || strlen(name) >= sizeof(c->zone))
        return err_set(e, ERR_CONFIG, "`%.70s`: TZ=Area/City is expected", word);
    memcpy(c->zone, name, strlen(name) + 1);
    return 0;
}

static int read_words(char *const *words, struct cron *c, struct err *e)
{
    if (words && text_starts(words[0], "TZ=") && read_zone(*words++, c, e) < 0)
        return -1;
    size_t n = words ? strv_len(words) : 0;
    if (words && n == 1 && words[0][0] == '@')
        return read_macro(words[0], c, e);
    if (words && (n == 5 || n == 6))
        return read_fields(words, c, e);
    err_set(e, ERR_CONFIG,
            "expected 5 fields (minute hour day month weekday), 6 with seconds first, or @daily; got %zu", n);
    return n == 7 ? err_hint(e, "there is no field for years") : -1;
}

/* When ------------------------------------------------------------------------------------------------- */

static bool fits_day(const struct cron *c, const struct date *d, int64_t days)
{
    bool last = c->last_day && d->day == calendar_month_length(d->year, d->month);
    bool day = last || c->day >> d->day & 1, weekday = c->weekday >> calendar_weekday(days) & 1;
    return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

/* The calendar repeats itself after 400 years, days of the week included. */
enum { CYCLE_DAYS = 146097 };

/* The first day from `days` on that fits; -1: there is none. */
static int64_t find_day(const struct cron *c, int64_t days)
{
    for (int64_t end = days + CYCLE_DAYS; days <= end;) {
        struct date d = calendar_date(days);
        int length = calendar_month_length(d.year, d.month);
        if (!(c->month >> d.month & 1)) {
            days += length - d.day + 1;
            continue;
        }
        for (; d.day <= length; d.day++, days++)
            if (fits_day(c, &d, days))
                return days;
    }
    return -1;
}

/* The lowest bit of `bits` from `from` on; -1: none. */
static int find_bit(uint64_t bits, int from)
{
    bits = from > 63 ? 0 : bits >> from << from;
    return bits ? __builtin_ctzll(bits) : -1;
}

/* The first time of day, in seconds, from `from` on; -1: none. */
static int find_time(const struct cron *c, int from)
{
    int first_minute = find_bit(c->minute, 0), first_second = find_bit(c->second, 0);
    int h = find_bit(c->hour, from / 3600);
    if (h < 0)
        return -1;
    if (h > from / 3600)
        return h * 3600 + first_minute * 60 + first_second;
    int m = find_bit(c->minute, from / 60 % 60);
    if (m == from / 60 % 60) {
        int s = find_bit(c->second, from % 60);
        if (s >= 0)
            return h * 3600 + m * 60 + s;
        m = find_bit(c->minute, m + 1);
    }
    if (m >= 0)
        return h * 3600 + m * 60 + first_second;
    h = find_bit(c->hour, h + 1);
    return h < 0 ? -1 : h * 3600 + first_minute * 60 + first_second;
}

/* The first wall time from `wall` on. */
static int64_t find_wall(const struct cron *c, int64_t wall)
{
    int64_t today = wall / DAY - (wall % DAY < 0), days = find_day(c, today);
    int time = find_time(c, days == today ? (int)(wall - today * DAY) : 0);
    if (time >= 0)
        return days * DAY + time;
    days = find_day(c, today + 1);
    return days * DAY + find_time(c, 0);
}

int64_t cron_next(const struct cron *c, const struct zone *z, int64_t after)
{
    int64_t wall = after + zone_at(z, after).offset + 1;
    for (;;) {
        int64_t again;
        wall = find_wall(c, wall);
        int64_t instant = zone_instant(z, wall, &again);
        if (instant > after)
            return instant;
        wall = again > wall ? again : wall + 1; /* it was shown before and is shown again */
    }
}

int cron_parse(const char *text, struct cron *out, struct err *e)
{
    struct cron c = { 0 };
    own_strv words = split(text);
    if (read_words(words, &c, e) < 0)
        return -1;
    if (find_day(&c, 0) < 0)
        return err_set(e, ERR_CONFIG, "no month it names has such a day: it would never fire");
    *out = c;
    return 0;
}

int cron_zone(const struct cron *c, struct zone **out, struct err *e)
{
    return zone_load(c->zone[0] ? c->zone : NULL, out, e);
}
