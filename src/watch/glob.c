#include "watch/glob.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct glob {
    char *text, *pattern; /* as it was added; without `!` and the slashes at its ends */
    size_t literal;       /* bytes of the pattern before the first that means something */
    bool exception, folders_only, whole_path;
};

struct globs {
    struct glob *items;
    size_t n;
};

struct globs *globs_new(void)
{
    return xnew(struct globs);
}

struct globs *globs_free(struct globs *g)
{
    if (!g)
        return NULL;
    for (size_t i = 0; i < g->n; i++) {
        free(g->items[i].text);
        free(g->items[i].pattern);
    }
    free(g->items);
    free(g);
    return NULL;
}

const char *glob_text(const struct glob *p)
{
    return p->text;
}

bool glob_is_exception(const struct glob *p)
{
    return p->exception;
}

/* Blanks at the end do not count, but for the one behind a backslash. */
static size_t trimmed(const char *text)
{
    size_t n = 0;
    for (size_t i = 0; text[i]; i++) {
        if (text[i] == '\\' && text[i + 1])
            n = ++i + 1;
        else if (text[i] != ' ')
            n = i + 1;
    }
    return n;
}

void globs_add(struct globs *g, const char *pattern)
{
    size_t n = trimmed(pattern);
    struct glob p = { .text = xstrdup(pattern) };
    if (n == 0 || *pattern == '#') { /* as in a file: nothing, a comment */
        free(p.text);
        return;
    }
    if (*pattern == '!') {
        p.exception = true;
        pattern++;
        n--;
    }
    if (n > 0 && pattern[n - 1] == '/') {
        p.folders_only = true;
        n--;
    }
    p.whole_path = memchr(pattern, '/', n) != NULL;
    if (n > 0 && *pattern == '/') {
        pattern++;
        n--;
    }
    if (n == 0) { /* `!`, `/`: nothing has that name */
        free(p.text);
        return;
    }
    p.pattern = xstrndup(pattern, n);
    p.literal = strcspn(p.pattern, "*?[\\");
    g->items = xrealloc(g->items, (g->n + 1) * sizeof(*g->items));
    g->items[g->n++] = p;
}

/* Fitting ---------------------------------------------------------------------------------------------- */

static bool in_class(const char *name, size_t n, unsigned char c)
{
    static const struct {
        const char *name;
        int (*has)(int);
    } classes[] = {
        { "alnum", isalnum }, { "alpha", isalpha }, { "blank", isblank }, { "cntrl", iscntrl },
        { "digit", isdigit }, { "graph", isgraph }, { "lower", islower }, { "print", isprint },
        { "punct", ispunct }, { "space", isspace }, { "upper", isupper }, { "xdigit", isxdigit },
    };
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (strlen(classes[i].name) == n && memcmp(classes[i].name, name, n) == 0)
            return classes[i].has(c);
    return false;
}

static bool is_class(const char *name, size_t n)
{
    static const char *const names[] = { "alnum", "alpha", "blank", "cntrl", "digit", "graph",
                                         "lower", "print", "punct", "space", "upper", "xdigit" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
            return true;
    return false;
}

/* A member of a set: [:class:], a range or a byte. Behind it; NULL: the set is malformed. */
static const char *set_member(const char *p, unsigned char c, bool *fits)
{
    const char *end;
    if (p[0] == '[' && p[1] == ':' && (end = strchr(p + 2, ']')) && end[-1] == ':' && end - 1 > p + 1) {
        if (!is_class(p + 2, (size_t)(end - 1 - (p + 2))))
            return NULL;
        *fits |= in_class(p + 2, (size_t)(end - 1 - (p + 2)), c);
        return end + 1;
    }
    if (*p == '\\' && !*++p)
        return NULL;
    unsigned char low = (unsigned char)*p++, high = low;
    if (p[0] == '-' && p[1] && p[1] != ']') {
        p++;
        if (*p == '\\' && !*++p)
            return NULL;
        high = (unsigned char)*p++;
    }
    *fits |= c == low || (low <= c && c <= high); /* also of a range that runs backwards */
    return p;
}

/* p is behind the bracket. Behind the set, if c is in it (a slash never is); else NULL. */
static const char *set_fits(const char *p, unsigned char c)
{
    bool negated = *p == '!' || *p == '^', fits = false;
    p += negated;
    do {
        if (!*p || !(p = set_member(p, c, &fits)))
            return NULL;
    } while (*p != ']');
    return fits != negated && c != '/' ? p + 1 : NULL;
}

/* One byte of the path against what stands at p, no star. Behind it; NULL: it does not fit. */
static const char *byte_fits(const char *p, char c)
{
    switch (*p) {
    case '?':
        return c != '/' ? p + 1 : NULL;
    case '[':
        return set_fits(p + 1, (unsigned char)c);
    case '\\':
        p++;
        return *p && *p == c ? p + 1 : NULL;
    default:
        return *p && *p == c ? p + 1 : NULL;
    }
}

/* `**` that is a whole name: behind the slash that follows, or at the end. Else NULL. */
static const char *any_names(const char *pattern, const char *p)
{
    const char *end = p + strspn(p, "*");
    if (end - p < 2 || (p > pattern && p[-1] != '/'))
        return NULL;
    if (end[0] == '\\' && end[1] == '/')
        return end + 2;
    return *end == '/' ? end + 1 : !*end ? end : NULL;
}

/* Two places to go back to are enough: the last star, which may take one byte more of its name, and the last
 * `**`, which may take one name more. What fitted before them had no choice that would help. */
static bool fits(const char *pattern, const char *path)
{
    const char *p = pattern, *t = path, *star_p = NULL, *star_t = NULL, *names_p = NULL, *names_t = NULL,
               *next;
    for (;;) {
        if (*p == '*' && (next = any_names(pattern, p))) {
            if (!*next && next[-1] == '*')
                return true;
            bool some = next[-1] == '/' && next[-2] == '\\'; /* an escaped slash: at least one name */
            if (some && !(t = strchr(t, '/')))
                return false;
            p = names_p = next;
            t = names_t = t + some;
            star_p = NULL;
        } else if (*p == '*') {
            p = star_p = p + strspn(p, "*");
            star_t = t;
        } else if (!*t && !*p) {
            return true;
        } else if (*t && (next = byte_fits(p, *t))) {
            p = next;
            t++;
        } else if (star_p && *star_t && *star_t != '/') {
            p = star_p;
            t = ++star_t;
        } else if (names_p && (next = strchr(names_t, '/'))) {
            p = names_p;
            t = names_t = next + 1;
            star_p = NULL;
        } else {
            return false;
        }
    }
}

/* The literal beginning is compared first, and what follows begins anew behind it (as git has it: that is why
 * `**` behind the middle of a name may be one of any names). */
static bool glob_fits(const struct glob *p, const char *path, const char *name, bool is_folder)
{
    const char *text = p->whole_path ? path : name;
    if (p->folders_only && !is_folder)
        return false;
    return strncmp(p->pattern, text, p->literal) == 0 && fits(p->pattern + p->literal, text + p->literal);
}

const struct glob *globs_find(const struct globs *g, const char *path, bool is_folder)
{
    const char *slash = strrchr(path, '/');
    for (size_t i = g->n; i-- > 0;)
        if (glob_fits(&g->items[i], path, slash ? slash + 1 : path, is_folder))
            return &g->items[i];
    return NULL;
}

bool globs_ignore(const struct globs *g, const char *path, bool is_folder, const struct glob **by)
{
    own_text part = xstrdup(path);
    for (char *slash = strchr(part, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        *by = globs_find(g, part, slash || is_folder);
        if (*by && !(*by)->exception)
            return true;
        if (!slash)
            return false;
        *slash = '/';
    }
}
