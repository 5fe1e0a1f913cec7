#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_done(struct buf *b)
{
    free(b->data);
    *b = (struct buf){ 0 };
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

void buf_reserve(struct buf *b, size_t more)
{
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap += cap / 2 + 16;
    b->data = xrealloc(b->data, cap);
    b->cap = cap;
}

void buf_add(struct buf *b, const void *data, size_t n)
{
    buf_reserve(b, n);
    if (n)
        memcpy(b->data + b->len, data, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
    if (b->len + 1 >= b->cap)
        buf_reserve(b, 1);
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}

void buf_fill(struct buf *b, char c, size_t n)
{
    buf_reserve(b, n);
    memset(b->data + b->len, c, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_addv(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    size_t room = b->cap - b->len;
    int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
    if (n > 0 && (size_t)n >= room) {
        buf_reserve(b, (size_t)n);
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
    }
    if (n > 0)
        b->len += (size_t)n;
    va_end(again);
}

/* printf would take ten times as long, and most of what an entry or a list is made of are numbers. */
void buf_add_int(struct buf *b, int64_t value)
{
    char digits[20], *p = digits + sizeof(digits);
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        *--p = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--p = '-';
    buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_addv(b, fmt, ap);
    va_end(ap);
}

void buf_drop(struct buf *b, size_t n)
{
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n + 1);
    b->len -= n;
}

char *buf_steal(struct buf *b)
{
    char *text = b->data ? b->data : xstrdup("");
    *b = (struct buf){ 0 };
    return text;
}

size_t strv_len(char *const *v)
{
    size_t n = 0;
    while (v && v[n])
        n++;
    return n;
}

char **strv_take(char **v, char *s)
{
    size_t n = strv_len(v);
    v = xrealloc(v, (n + 2) * sizeof(*v));
    v[n] = s;
    v[n + 1] = NULL;
    return v;
}

char **strv_add(char **v, const char *s)
{
    return strv_take(v, xstrdup(s));
}

char **strv_copy(char *const *v)
{
    if (!v)
        return NULL;
    size_t n = strv_len(v);
    char **copy = xcalloc(n + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = xstrdup(v[i]);
    return copy;
}

char **strv_free(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
    return NULL;
}

void strv_done(char ***v)
{
    *v = strv_free(*v);
}

bool strv_has(char *const *v, const char *s)
{
    for (size_t i = 0; v && v[i]; i++)
        if (strcmp(v[i], s) == 0)
            return true;
    return false;
}

bool strv_equal(char *const *a, char *const *b)
{
    size_t n = strv_len(a);
    if (n != strv_len(b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool text_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

const char *text_last(const char *s, size_t n, char c)
{
    while (n > 0)
        if (s[--n] == c)
            return s + n;
    return NULL;
}

bool text_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* One word from *at on; *at moves behind it. 1 = a word, 0 = none left, -1 = open quote. */
static int next_word(const char **at, struct buf *out)
{
    const char *p = *at;
    while (isspace((unsigned char)*p))
        p++;
    if (!*p) {
        *at = p;
        return 0;
    }
    buf_reserve(out, 0);
    buf_clear(out);
    char quote = 0;
    for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
        if (quote == '\'') {
            if (*p == '\'')
                quote = 0;
            else
                buf_addc(out, *p);
        } else if (*p == '\\' && p[1] && (!quote || strchr("\"\\$`", p[1]))) {
            buf_addc(out, *++p);
        } else if (quote == '"' && *p == '"') {
            quote = 0;
        } else if (!quote && (*p == '\'' || *p == '"')) {
            quote = *p;
        } else {
            buf_addc(out, *p);
        }
    }
    *at = p;
    return quote ? -1 : 1;
}

int text_split_words(const char *s, char ***out, struct err *e)
{
    own_buf word = { 0 };
    own_strv words = NULL;
    int r;
    while ((r = next_word(&s, &word)) > 0)
        words = strv_add(words, word.data);
    if (r < 0)
        return err_set(e, ERR_USAGE, "a quote is not closed");
    *out = steal(words);
    return 0;
}

/* NAME=... */
static bool is_assignment(const char *word)
{
    size_t n = 0;
    while (word[n] == '_' || isalpha((unsigned char)word[n]) || (n && isdigit((unsigned char)word[n])))
        n++;
    return n && word[n] == '=';
}

/* A newline ends a command, unless there is none behind it. */
static bool ends_command(const char *newline)
{
    return newline[strspn(newline, " \t\r\n")] != '\0';
}

bool text_needs_shell(const char *line)
{
    line += strspn(line, " \t\r\n");
    if (is_assignment(line))
        return true;
    char quote = 0;
    for (const char *p = line; *p; p++) {
        bool word_starts = p == line || isspace((unsigned char)p[-1]);
        if (*p == '\\' && quote != '\'' && p[1])
            p++;
        else if (quote && *p == quote)
            quote = 0;
        else if (quote == '"' && (*p == '$' || *p == '`'))
            return true;
        else if (quote)
            continue;
        else if (*p == '\'' || *p == '"')
            quote = *p;
        else if (strchr("|&;<>()$`*?[", *p) || (word_starts && strchr("~#", *p)) ||
                 (*p == '\n' && ends_command(p)))
            return true;
    }
    return false;
}

static char fold(char c)
{
    if (c == '-')
        return '_';
    return (char)tolower((unsigned char)c);
}

/* Optimal string alignment distance; names here are short, so a fixed table does. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 48 };
    size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST)
        return SIZE_MAX;
    size_t d[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            size_t change = fold(a[i - 1]) != fold(b[j - 1]);
            size_t best = MIN(MIN(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + change);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
                best = MIN(best, d[i - 2][j - 2] + 1);
            d[i][j] = best;
        }
    return d[n][m];
}

const char *text_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t best_distance = MAX(strlen(word) / 3, (size_t)1);
    for (; *names; names++) {
        size_t d = distance(word, *names);
        if (d < best_distance || (d == best_distance && !best)) {
            best = *names;
            best_distance = d;
        }
    }
    return best;
}

size_t text_utf8_len(const char *p, size_t left)
{
    unsigned char c = (unsigned char)*p;
    size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    return n && n <= left && text_is_utf8(p, n) ? n : 0;
}

size_t text_show(const char *s, char out[TEXT_SHOWN])
{
    static const char from[] = "\n\r\t", to[] = "nrt";
    unsigned char c = (unsigned char)*s, second = c ? (unsigned char)s[1] : 0;
    if (c >= 0x20 && c < 0x7f) { /* nearly all there is */
        memcpy(out, (const char[]){ (char)c, '\0' }, 2);
        return 1;
    }
    size_t n = text_utf8_len(s, strnlen(s, 4));
    const char *named = c ? strchr(from, c) : NULL;
    if (named)
        snprintf(out, TEXT_SHOWN, "\\%c", to[named - from]);
    else if (n == 2 && c == 0xc2 && second < 0xa0) /* C1: a terminal takes U+009B for ESC [ */
        snprintf(out, TEXT_SHOWN, "\\x%02x", second);
    else if (n == 0 || c < 0x20 || c == 0x7f)
        snprintf(out, TEXT_SHOWN, "\\x%02x", c);
    else
        snprintf(out, TEXT_SHOWN, "%.*s", (int)n, s);
    return n ? n : 1;
}

void buf_add_shown(struct buf *b, const char *s)
{
    char one[TEXT_SHOWN];
    while (*s) {
        s += text_show(s, one);
        buf_adds(b, one);
    }
}

bool text_is_utf8(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + n;
    while (p < end) {
        unsigned char c = *p++;
        if (c < 0x80)
            continue;
        int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || end - p < more)
            return false;
        unsigned lead = *p;
        if ((c == 0xe0 && lead < 0xa0) || (c == 0xed && lead > 0x9f) || (c == 0xf0 && lead < 0x90) ||
            (c == 0xf4 && lead > 0x8f))
            return false;
        for (; more > 0; more--)
            if ((*p++ & 0xc0) != 0x80)
                return false;
    }
    return true;
}
