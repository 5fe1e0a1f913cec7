#include "conf/dotenv.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/vars.h"

enum { FILE_MOST = 1 << 20 };

static const char blanks[] = " \t";

static bool is_name_char(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return letter || (!first && ((c >= '0' && c <= '9') || c == '.' || c == '-'));
}

static size_t name_len(const char *s)
{
    size_t n = 0;
    while (is_name_char(s[n], n == 0))
        n++;
    return n;
}

/* A text without CRLF, NUL-terminated, and how far it is read. */
struct reading {
    const char *p;
    int line; /* of p, from 1 */
};

static void move_to(struct reading *r, const char *to)
{
    for (; r->p < to; r->p++)
        r->line += *r->p == '\n';
}

/* r still stands where the quote was opened: that is the line to tell. */
static int not_closed(struct err *e)
{
    return err_set(e, ERR_CONFIG, "the quote is not closed");
}

/* Behind a value only blanks and a comment may stand. */
static int close_quote(struct reading *r, const char *quote, struct err *e)
{
    int opened = r->line;
    move_to(r, quote + 1);
    r->p += strspn(r->p, blanks);
    if (!*r->p || *r->p == '\n' || *r->p == '#')
        return 0;
    if (r->line == opened)
        return err_set(e, ERR_CONFIG, "something stands behind the closing quote");
    return err_set(e, ERR_CONFIG, "something stands behind the closing quote, which was opened in line %d",
                   opened);
}

static int read_literal(struct reading *r, struct buf *value, struct err *e)
{
    const char *quote = strchr(r->p, '\'');
    if (!quote)
        return not_closed(e);
    buf_add(value, r->p, (size_t)(quote - r->p));
    return close_quote(r, quote, e);
}

/* \n \r \t and the characters that need it; another backslash is one. */
static void add_escaped(struct buf *value, char c)
{
    static const char from[] = "nrt\"\\$", to[] = "\n\r\t\"\\$";
    const char *at = strchr(from, c);
    if (at)
        buf_addc(value, to[at - from]);
    else
        buf_add(value, (const char[]){ '\\', c }, 2);
}

static int read_quoted(struct reading *r, struct buf *value, struct err *e)
{
    const char *p = r->p;
    for (; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            add_escaped(value, *++p);
        else
            buf_addc(value, *p);
    return *p ? close_quote(r, p, e) : not_closed(e);
}

static int read_plain(struct reading *r, struct buf *value)
{
    const char *p = r->p;
    size_t n = 0;
    while (p[n] && p[n] != '\n' && !(p[n] == '#' && (n == 0 || strchr(blanks, p[n - 1]))))
        n++;
    while (n > 0 && strchr(blanks, p[n - 1]))
        n--;
    buf_add(value, p, n);
    return 0;
}

static int read_value(struct reading *r, struct buf *value, struct err *e)
{
    r->p += strspn(r->p, blanks);
    if (*r->p != '\'' && *r->p != '"')
        return read_plain(r, value);
    return *r->p++ == '"' ? read_quoted(r, value, e) : read_literal(r, value, e);
}

/* A line, or the lines of one variable; r then stands in the last of them. */
static int read_variable(struct reading *r, struct vars *env, struct err *e)
{
    r->p += strspn(r->p, blanks);
    if (!*r->p || *r->p == '\n' || *r->p == '#')
        return 0;
    if (text_starts(r->p, "export") && r->p[6] && strchr(blanks, r->p[6]))
        r->p += 6 + strspn(r->p + 6, blanks);
    size_t n = name_len(r->p);
    const char *equals = r->p + n + strspn(r->p + n, blanks);
    if (n == 0 || *equals != '=')
        return err_set(e, ERR_CONFIG, "expected NAME=value");
    own_buf pair = { 0 };
    buf_add(&pair, r->p, n);
    buf_addc(&pair, '=');
    r->p = equals + 1;
    if (read_value(r, &pair, e) < 0)
        return -1;
    free(vars_put(env, buf_steal(&pair)));
    return 0;
}

/* With line ends as they are here: a value that spans lines does not hold those of another system. */
static char *plain_lines(const char *text, size_t n)
{
    own_buf out = { 0 };
    buf_reserve(&out, n);
    buf_adds(&out, ""); /* also where nothing follows */
    for (size_t i = 0; i < n; i++)
        if (text[i] != '\r' || (i + 1 < n && text[i + 1] != '\n'))
            buf_addc(&out, text[i]);
    return buf_steal(&out);
}

static int check_nul(const char *text, size_t n, struct err *e)
{
    const char *nul = n ? memchr(text, '\0', n) : NULL;
    int line = 1;
    if (!nul)
        return 0;
    for (const char *p = text; p < nul; p++)
        line += *p == '\n';
    return err_set(e, ERR_CONFIG, "line %d: contains a NUL byte", line);
}

static int read_lines(const char *text, size_t n, struct vars *env, struct err *e)
{
    if (check_nul(text, n, e) < 0)
        return -1;
    own_text lines = plain_lines(text, n);
    struct reading r = { .p = lines, .line = 1 };
    if (text_starts(lines, "\xef\xbb\xbf"))
        r.p += 3;
    while (*r.p) {
        if (read_variable(&r, env, e) < 0)
            return err_in(e, "line %d", r.line);
        const char *end = r.p + strcspn(r.p, "\n");
        move_to(&r, end + (*end == '\n'));
    }
    return 0;
}

int dotenv_parse(const char *text, size_t n, char ***out_strv, struct err *e)
{
    own_vars vars = { 0 };
    int r = read_lines(text, n, &vars, e);
    own_strv env = vars_steal(&vars);
    if (r == 0)
        *out_strv = steal(env);
    return r;
}

int dotenv_load(const char *path, char ***out_strv, struct err *e)
{
    own_text text = NULL;
    size_t n;
    if (file_read(path, FILE_MOST, &text, &n, e) < 0)
        return -1;
    if (dotenv_parse(text, n, out_strv, e) < 0)
        return err_in(e, "%s", path);
    return 0;
}
