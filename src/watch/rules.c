#include "watch/rules.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* What tools leave behind while a file is edited is none of it either: opening one is no change. */
const char *const rules_always[] = { "node_modules", ".git", "*.log", ".*.sw?", "*~", ".#*", "4913", NULL };

static const char own[] = "velos's own files";

struct rules {
    char *base, *home, *logs;
    char **own_logs;
    struct globs *globs;
};

struct rules *rules_new(const struct rules_spec *s)
{
    struct rules *r = xnew(struct rules);
    r->base = xstrdup(s->base);
    r->home = xstrdup(s->home);
    r->logs = path_join(s->home, "logs");
    r->own_logs = strv_copy(s->own_logs);
    r->globs = globs_new();
    for (const char *const *p = rules_always; *p; p++)
        globs_add(r->globs, *p);
    for (char *const *p = s->ignore; p && *p; p++)
        globs_add(r->globs, *p);
    return r;
}

struct rules *rules_free(struct rules *r)
{
    if (!r)
        return NULL;
    globs_free(r->globs);
    strv_free(r->own_logs);
    free(r->logs);
    free(r->home);
    free(r->base);
    free(r);
    return NULL;
}

/* What is behind folder and its slash; NULL: path is not below it. */
static const char *below(const char *folder, const char *path)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

/* api-out.log, api-out-1.log, api-out.log.2.gz, .api-out.log.77.idx */
static bool is_of_log(const char *log, const char *path)
{
    const char *name = path_base(log), *ext = path_ext(log), *at = path_base(path);
    size_t folder = (size_t)(name - log), stem = strlen(name) - strlen(ext);
    if ((size_t)(at - path) != folder || strncmp(path, log, folder) != 0)
        return false;
    at += *at == '.' && *name != '.';
    if (strncmp(at, name, stem) != 0)
        return false;
    at += stem;
    if (*at == '-' && isdigit((unsigned char)at[1]))
        at += 1 + strspn(at + 1, "0123456789");
    return text_starts(at, ext) && (!at[strlen(ext)] || at[strlen(ext)] == '.');
}

/* A tree that lies in velos's home itself is watched, but for what velos writes there. */
static bool is_own(const struct rules *r, const char *root, const char *path)
{
    const char *in_home = below(r->home, path);
    bool inside = strcmp(root, r->home) == 0 || below(r->home, root);
    if (!inside && (in_home || strcmp(path, r->home) == 0))
        return true;
    if (strcmp(path, r->logs) == 0 || below(r->logs, path) ||
        (in_home && !strchr(in_home, '/') && !below(r->home, root)))
        return true;
    for (char *const *log = r->own_logs; log && *log; log++)
        if (is_of_log(*log, path))
            return true;
    return false;
}

const char *rules_ignore(const struct rules *r, const char *root, const char *path, bool is_folder)
{
    const char *relative = below(r->base, path);
    if (is_own(r, root, path))
        return own;
    if (!relative)
        relative = below(root, path);
    const struct glob *by = globs_find(r->globs, relative ? relative : path_base(path), is_folder);
    return by && !glob_is_exception(by) ? glob_text(by) : NULL;
}
