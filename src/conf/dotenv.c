#include "conf/dotenv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* Behind a value only blanks and a comment may stand. */
static int check_rest(const char *p, struct err *e)
{
    p += strspn(p, blanks);
    return *p && *p != '#' ? err_set(e, ERR_CONFIG, "something stands behind the closing quote") : 0;
}

static int read_literal(const char *p, struct buf *value, struct err *e)
{
    size_t n = strcspn(p, "'");
    if (!p[n])
        return err_set(e, ERR_CONFIG, "the quote is not closed");
    buf_add(value, p, n);
    return check_rest(p + n + 1, e);
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

static int read_quoted(const char *p, struct buf *value, struct err *e)
{
    for (; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            add_escaped(value, *++p);
        else
            buf_addc(value, *p);
    if (!*p)
        return err_set(e, ERR_CONFIG, "the quote is not closed");
    return check_rest(p + 1, e);
}

static int read_plain(const char *p, struct buf *value)
{
    size_t n = 0;
    while (p[n] && !(p[n] == '#' && (n == 0 || strchr(blanks, p[n - 1]))))
        n++;
    while (n > 0 && strchr(blanks, p[n - 1]))
        n--;
    buf_add(value, p, n);
    return 0;
}

static int read_value(const char *p, struct buf *value, struct err *e)
{
    if (*p == '\'')
        return read_literal(p + 1, value, e);
    if (*p == '"')
        return read_quoted(p + 1, value, e);
    return read_plain(p, value);
}

static int read_line(const char *p, struct vars *env, struct err *e)
{
    p += strspn(p, blanks);
    if (!*p || *p == '#')
        return 0;
    if (text_starts(p, "export") && strchr(blanks, p[6]) && p[6])
        p += 6 + strspn(p + 6, blanks);
    size_t n = name_len(p);
    const char *equals = p + n + strspn(p + n, blanks);
    if (n == 0 || *equals != '=')
        return err_set(e, ERR_CONFIG, "expected NAME=value");
    own_buf pair = { 0 };
    buf_add(&pair, p, n);
    buf_addc(&pair, '=');
    p = equals + 1;
    if (read_value(p + strspn(p, blanks), &pair, e) < 0)
        return -1;
    free(vars_put(env, buf_steal(&pair)));
    return 0;
}

static int read_lines(const char *text, size_t n, struct vars *env, struct err *e)
{
    const char *p = text, *end = text + n;
    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    for (int number = 1; p < end; number++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((newline ? newline : end) - p);
        own_text line = xstrndup(p, len);
        if (strlen(line) < len)
            return err_set(e, ERR_CONFIG, "line %d: contains a NUL byte", number);
        if (len && line[len - 1] == '\r')
            line[len - 1] = '\0';
        if (read_line(line, env, e) < 0)
            return err_in(e, "line %d", number);
        p += len + 1;
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

/* Who opens a FIFO waits for its writer, and the daemon must not. A shell's <(command) is one, too. */
static int check_kind(const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
        return 0;
    err_set(e, ERR_CONFIG, "%s: is a pipe", path);
    return err_hint(e, "it is read anew at each start: name a file that stays");
}

int dotenv_load(const char *path, char ***out_strv, struct err *e)
{
    own_text text = NULL;
    size_t n;
    if (check_kind(path, e) < 0 || file_read(path, FILE_MOST, &text, &n, e) < 0)
        return -1;
    if (dotenv_parse(text, n, out_strv, e) < 0)
        return err_in(e, "%s", path);
    return 0;
}
