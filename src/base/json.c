#include "base/json.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/time.h"

void json_init(void)
{
    uint32_t seed = 0; /* 0: jansson looks for one itself */
    (void)!getentropy(&seed, sizeof(seed));
    json_set_alloc_funcs(xmalloc, free);
    json_object_seed(seed);
}

/* How many bytes from s on need no change: eight at a time, since log lines come by here. */
size_t json_plain(const char *s, size_t n)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, s + i, 8);
        uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\', del = w ^ ones * 0x7f;
        uint64_t low = (w - ones * 0x20) | (quote - ones) | (slash - ones) | (del - ones);
        if ((low | w) & high)
            break;
    }
    for (; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            break;
    }
    return i;
}

/* A byte that is part of no character is carried as a character of a private area, U+EF00 plus the byte:
 * U+EF80 to U+EFFF, EE BE 80 to EE BF BF in UTF-8. What is such a character itself is carried byte by byte,
 * so that json_uncarry() gives back what came, whatever it was. */
static bool is_carrier(const char *s, size_t len)
{
    return len == 3 && (unsigned char)s[0] == 0xee && ((unsigned char)s[1] & 0xfe) == 0xbe;
}

static void add_carried(struct buf *b, unsigned char byte)
{
    const char carrier[3] = { (char)0xee, (char)(byte < 0xc0 ? 0xbe : 0xbf), (char)(0x80 | (byte & 0x3f)) };
    buf_add(b, carrier, sizeof(carrier));
}

char *json_uncarry(char *text)
{
    char *to = text;
    for (const char *s = text; *s;) {
        if (is_carrier(s, strnlen(s, 3))) {
            *to++ = (char)(((unsigned char)s[1] == 0xbe ? 0x80 : 0xc0) | ((unsigned char)s[2] & 0x3f));
            s += 3;
        } else {
            *to++ = *s++;
        }
    }
    *to = '\0';
    return text;
}

enum bad_bytes { REPLACE, CARRY };

static void add_escaped(struct buf *b, const char *s, size_t n, enum bad_bytes bad)
{
    buf_addc(b, '"');
    size_t plain = 0; /* bytes before s that need no change, added in one go */
    for (size_t i = 0; (i += json_plain(s + i, n - i)) < n;) {
        unsigned char c = (unsigned char)s[i];
        size_t len = text_utf8_len(s + i, n - i);
        bool carried = bad == CARRY && (!len || is_carrier(s + i, len));
        if (len && !carried && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += len;
            continue;
        }
        buf_add(b, s + plain, i - plain);
        if (carried)
            for (size_t k = 0; k < MAX(len, (size_t)1); k++)
                add_carried(b, (unsigned char)s[i + k]);
        else if (!len)
            buf_adds(b, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            buf_addf(b, "\\%c", c);
        else if (c == '\n')
            buf_adds(b, "\\n");
        else if (c == '\t')
            buf_adds(b, "\\t");
        else
            buf_addf(b, "\\u%04x", c);
        i += carried && len ? len : 1;
        plain = i;
    }
    buf_add(b, s + plain, n - plain);
    buf_addc(b, '"');
}

static void lead(struct json_out *j, const char *key)
{
    if (j->comma)
        buf_addc(j->to, ',');
    j->comma = true;
    if (key) {
        add_escaped(j->to, key, strlen(key), CARRY);
        buf_addc(j->to, ':');
    }
}

void json_open(struct json_out *j, const char *key, char bracket)
{
    lead(j, key);
    buf_addc(j->to, bracket);
    j->comma = false;
}

void json_close(struct json_out *j, char bracket)
{
    buf_addc(j->to, bracket);
    j->comma = true;
}

void json_strn(struct json_out *j, const char *key, const char *value, size_t n)
{
    lead(j, key);
    add_escaped(j->to, value, n, REPLACE);
}

void json_str(struct json_out *j, const char *key, const char *value)
{
    if (!value) {
        json_null_at(j, key);
        return;
    }
    lead(j, key);
    add_escaped(j->to, value, strlen(value), CARRY);
}

void json_int(struct json_out *j, const char *key, int64_t value)
{
    lead(j, key);
    buf_add_int(j->to, value);
}

void json_num(struct json_out *j, const char *key, double value)
{
    if (!(value > -9e17 && value < 9e17)) { /* NaN too */
        json_null_at(j, key);
        return;
    }
    /* by hand: printf would write a comma where the locale has one */
    long long tenths = (long long)(value * 10 + (value < 0 ? -0.5 : 0.5)), whole = llabs(tenths);
    lead(j, key);
    buf_addf(j->to, "%s%lld.%lld", tenths < 0 ? "-" : "", whole / 10, whole % 10);
}

void json_flag(struct json_out *j, const char *key, bool value)
{
    lead(j, key);
    buf_adds(j->to, value ? "true" : "false");
}

void json_null_at(struct json_out *j, const char *key)
{
    lead(j, key);
    buf_adds(j->to, "null");
}

void json_raw(struct json_out *j, const char *key, const char *json)
{
    lead(j, key);
    buf_adds(j->to, json);
}

void json_strv(struct json_out *j, const char *key, char *const *v)
{
    json_open(j, key, '[');
    for (size_t i = 0; v && v[i]; i++)
        json_str(j, NULL, v[i]);
    json_close(j, ']');
}

void json_time(struct json_out *j, const char *key, int64_t wall_ms)
{
    char text[TIME_TEXT];
    json_str(j, key, wall_ms ? time_rfc3339(wall_ms, text) : NULL);
}

const char *json_get_str(const json_t *o, const char *key, const char *fallback)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : fallback;
}

int64_t json_get_int(const json_t *o, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : fallback;
}

bool json_get_flag(const json_t *o, const char *key, bool fallback)
{
    const json_t *v = json_object_get(o, key);
    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

int json_parse(const char *text, size_t n, json_t **out, struct err *e)
{
    json_error_t why;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!j)
        return err_set(e, ERR_PARSE, "not JSON: line %d, column %d: %s", why.line, why.column, why.text);
    *out = j;
    return 0;
}

void json_free(json_t **j)
{
    json_decref(*j);
    *j = NULL;
}
