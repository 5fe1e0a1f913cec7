#include "proto/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* p is at a quote; behind the closing one, or end. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\' && ++p == end)
            return end;
    return p < end ? p + 1 : end;
}

/* Brackets are counted, not matched. */
static const char *skip_nested(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            continue;
        }
        if (*p == '{' || *p == '[')
            depth++;
        if ((*p == '}' || *p == ']') && --depth == 0)
            return p + 1;
        p++;
    }
    return end;
}

static const char *skip_value(const char *p, const char *end)
{
    if (p < end && *p == '"')
        return skip_string(p, end);
    if (p < end && (*p == '{' || *p == '['))
        return skip_nested(p, end);
    while (p < end && *p != ',' && *p != '}' && *p != ']' && !is_blank(*p))
        p++;
    return p;
}

/* The value at *p; *p moves behind it. Empty: there is none. */
static struct piece take_value(const char **p, const char *end)
{
    const char *from = skip_blanks(*p, end);
    *p = skip_value(from, end);
    return (struct piece){ *p > from ? from : NULL, (size_t)(*p - from) };
}

/* Behind the comma at p, if there is one. */
static const char *skip_comma(const char *p, const char *end)
{
    p = skip_blanks(p, end);
    return p < end && *p == ',' ? p + 1 : p;
}

static bool is_key(struct piece key, const char *name)
{
    size_t n = strlen(name);
    return key.at && key.n == n + 2 && memcmp(key.at + 1, name, n) == 0;
}

void scan_members(struct piece object, const char *const *names, size_t n, struct piece *values)
{
    memset(values, 0, n * sizeof(*values));
    if (object.n < 2 || object.at[0] != '{')
        return;
    size_t next = 0; /* members mostly come in the order they are asked for */
    const char *p = object.at + 1, *end = object.at + object.n - 1;
    while ((p = skip_blanks(p, end)) < end && *p == '"') {
        struct piece key = take_value(&p, end);
        p = skip_blanks(p, end);
        if (p == end || *p++ != ':')
            return;
        struct piece value = take_value(&p, end);
        for (size_t i = 0; i < n; i++, next = next + 1 < n ? next + 1 : 0)
            if (is_key(key, names[next])) {
                values[next] = value;
                break;
            }
        p = skip_comma(p, end);
    }
}

bool scan_item(struct piece array, size_t *at, struct piece *item)
{
    if (array.n < 2 || array.at[0] != '[')
        return false;
    const char *end = array.at + array.n - 1, *p = array.at + MAX(*at, (size_t)1);
    *item = take_value(&p, end);
    *at = (size_t)(skip_comma(p, end) - array.at);
    return item->at;
}

char *piece_text(struct piece p)
{
    if (p.n < 2 || p.at[0] != '"')
        return NULL;
    if (!memchr(p.at, '\\', p.n))
        return xstrndup(p.at + 1, p.n - 2);
    struct err e;
    own_json j = NULL;
    if (json_parse(p.at, p.n, &j, &e) < 0)
        return NULL;
    return xstrdup(json_string_value(j));
}

char *piece_bytes(struct piece p, size_t *n)
{
    char *text = piece_text(p);
    *n = text ? strlen(text) : 0;
    if (text || p.n < 2 || p.at[0] != '"')
        return text;
    own_json j = json_loadb(p.at, p.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!j)
        return NULL;
    *n = json_string_length(j);
    text = xmalloc(*n + 1);
    return memcpy(text, json_string_value(j), *n + 1);
}

/* A number's text with a NUL behind it; false when it is none. */
static bool number_text(struct piece p, char out[40])
{
    if (p.n == 0 || p.n >= 40 || (p.at[0] != '-' && (p.at[0] < '0' || p.at[0] > '9')))
        return false;
    memcpy(out, p.at, p.n);
    out[p.n] = '\0';
    return true;
}

bool piece_int(struct piece p, int64_t *out)
{
    char text[40], *end;
    if (!number_text(p, text))
        return false;
    *out = strtoll(text, &end, 10);
    return *end == '\0';
}

bool piece_num(struct piece p, double *out)
{
    char text[40], *end;
    if (!number_text(p, text))
        return false;
    *out = strtod(text, &end);
    return *end == '\0';
}

bool piece_is(struct piece p, const char *text)
{
    return p.at && p.n == strlen(text) && memcmp(p.at, text, p.n) == 0;
}
