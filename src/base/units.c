#include "base/units.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    { "", 1 },        { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
    { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 },
};
static const struct unit sizes[] = {
    { "", 1 },          { "B", 1 },         { "K", 1 << 10 },    { "KB", 1 << 10 },    { "KiB", 1 << 10 },
    { "M", 1 << 20 },   { "MB", 1 << 20 },  { "MiB", 1 << 20 },  { "G", 1 << 30 },     { "GB", 1 << 30 },
    { "GiB", 1 << 30 }, { "T", 1LL << 40 }, { "TB", 1LL << 40 }, { "TiB", 1LL << 40 },
};

/* "12" or "1.5"; *p moves behind it. False: no such number. Not strtod: it takes 0x10, 1e3 and, where
 * the locale says so, 1,5. */
static bool read_number(const char **p, double *out)
{
    const char *s = *p;
    double value = 0, step = 1;
    if (!isdigit((unsigned char)*s))
        return false;
    for (; isdigit((unsigned char)*s); s++)
        value = value * 10 + (*s - '0');
    if (*s == '.' && isdigit((unsigned char)s[1]))
        for (s++; isdigit((unsigned char)*s); s++)
            value += (*s - '0') * (step /= 10);
    *p = s;
    *out = value;
    return true;
}

static const struct unit *find_unit(const struct unit *units, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

static int parse(const char *s, const struct unit *units, size_t n, int64_t most, const char *examples,
                 int64_t *out, struct err *e)
{
    const char *rest = s;
    double value = 0;
    const struct unit *unit = NULL;
    if (read_number(&rest, &value))
        unit = find_unit(units, n, rest + strspn(rest, " "));
    bool bare = unit && !*unit->name;
    if (!unit || (bare && (*rest || strchr(s, '.'))))
        return err_set(e, ERR_CONFIG, "`%.40s` is not %s", s, examples);
    double total = value * (double)unit->factor;
    if (total > (double)most)
        return err_set(e, ERR_CONFIG, "`%.40s` is too large", s);
    *out = (int64_t)(total + 0.5);
    return 0;
}

int units_duration(const char *s, int64_t *out_ms, struct err *e)
{
    return parse(s, durations, ARRAY_LEN(durations), 10000LL * 86400000, "a duration (500ms, 5s, 2m, 1h)",
                 out_ms, e);
}

int units_size(const char *s, int64_t *out_bytes, struct err *e)
{
    return parse(s, sizes, ARRAY_LEN(sizes), 1LL << 50, "a size (64K, 150M, 1G)", out_bytes, e);
}

const char *units_show_duration(int64_t ms, char out[UNITS_TEXT])
{
    static const struct unit exact[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 } };
    for (size_t i = 0; i < ARRAY_LEN(exact); i++)
        if (ms && ms % exact[i].factor == 0) {
            snprintf(out, UNITS_TEXT, "%lld%s", (long long)(ms / exact[i].factor), exact[i].name);
            return out;
        }
    snprintf(out, UNITS_TEXT, "%lldms", (long long)ms);
    return out;
}

const char *units_show_uptime(int64_t ms, char out[UNITS_TEXT])
{
    int64_t s = ms < 0 ? 0 : ms / 1000;
    if (s < 60)
        snprintf(out, UNITS_TEXT, "%llds", (long long)s);
    else if (s < 3600)
        snprintf(out, UNITS_TEXT, "%lldm %llds", (long long)(s / 60), (long long)(s % 60));
    else if (s < 86400)
        snprintf(out, UNITS_TEXT, "%lldh %lldm", (long long)(s / 3600), (long long)(s % 3600 / 60));
    else
        snprintf(out, UNITS_TEXT, "%lldd %lldh", (long long)(s / 86400), (long long)(s % 86400 / 3600));
    return out;
}

const char *units_show_size(int64_t bytes, char out[UNITS_TEXT])
{
    static const char suffix[] = "BKMGT";
    double v = (double)bytes;
    size_t i = 0;
    while (v >= 1023.5 && i < 4) { /* it would be shown as 1024 */
        v /= 1024;
        i++;
    }
    snprintf(out, UNITS_TEXT, i == 0 || v >= 100 ? "%.0f%c" : "%.1f%c", v, suffix[i]);
    return out;
}
