#include "conf/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "conf/toml.h"

enum { FILE_MOST = 1 << 20 };

struct load {
    const struct config_query *q;
    const struct conf_node *apps; /* the table of that name */
    char *base;                   /* absolute: the file's folder */
    struct conf_problems *problems;
    struct config out;
};

static struct conf_node key_place(const struct conf_node *n)
{
    return (struct conf_node){ .line = n->key_line, .col = n->key_col };
}

static char *did_you_mean(const char *nearest)
{
    return nearest ? xasprintf("did you mean %s?", nearest) : NULL;
}

/* ---- one app ---- */

/* What the file need not say: the name is the table's key, the cwd the file's folder. */
static void fill_in(struct load *l, const struct conf_node *app, struct app_spec *s)
{
    struct err e;
    const struct conf_node at = key_place(app);
    if (!conf_node_get(app, "name") && keys_read_text(s, key_find("name"), app->key, l->base, &e) < 0) {
        const char *why = strchr(e.text, ':'); /* "--name: why" */
        conf_problem_add(l->problems, &at, e.hint, "apps.%s%s", app->key, why ? why : e.text);
    }
    if (!conf_node_get(app, "cwd") && keys_read_text(s, key_find("cwd"), l->base, l->base, &e) < 0)
        conf_problem_add(l->problems, &at, NULL, "%s", e.text);
}

/* Relative to the file, unless it is a bare word that is no file there: that is a program on PATH. */
static void place_script(struct load *l, struct app_spec *s)
{
    if (!s->script || s->script[0] == '/')
        return;
    own_text path = path_absolute(l->base, s->script);
    struct stat st;
    bool file = stat(path, &st) == 0 && S_ISREG(st.st_mode);
    if (!file && !strchr(s->script, '/'))
        return;
    free(s->script);
    s->script = steal(path);
}

static struct app_spec *read_app(struct load *l, const struct conf_node *app)
{
    struct app_spec *s = app_spec_new();
    keys_read(s, app, l->base, l->q->profile, l->problems);
    fill_in(l, app, s);
    place_script(l, s);
    keys_check(s, app, l->problems);
    return s;
}

static const struct app_spec *find_app(const struct config *c, const char *name)
{
    for (size_t i = 0; name && i < c->len; i++)
        if (text_equal(c->apps[i]->name, name))
            return c->apps[i];
    return NULL;
}

static void add_app(struct load *l, const struct conf_node *app)
{
    own_app_spec s = read_app(l, app);
    if (find_app(&l->out, s->name)) {
        const struct conf_node *name = conf_node_get(app, "name"), at = key_place(app);
        conf_problem_add(l->problems, name ? name : &at, NULL, "apps.%s: another app is called %s", app->key,
                         s->name);
    }
    l->out.apps = xrealloc(l->out.apps, (l->out.len + 1) * sizeof(struct app_spec *));
    l->out.apps[l->out.len++] = steal(s);
}

static void add_apps(struct load *l)
{
    for (size_t i = 0; i < l->apps->len; i++) {
        const struct conf_node *app = &l->apps->items[i];
        if (app->type == CONF_TABLE)
            add_app(l, app);
        else
            conf_problem_add(l->problems, app, NULL, "apps.%s: expected a table, got %s", app->key,
                             conf_type_name(app->type));
    }
}

/* ---- what was asked for: --only and --env ---- */

static bool is_wanted(const struct load *l, const char *name)
{
    return !l->q->only || (name && strv_has(l->q->only, name));
}

static const char *nearest_app(const struct load *l, const char *word)
{
    const char **names = xcalloc(l->out.len + 1, sizeof(*names));
    size_t n = 0;
    for (size_t i = 0; i < l->out.len; i++)
        if (l->out.apps[i]->name)
            names[n++] = l->out.apps[i]->name;
    const char *found = text_nearest(word, names);
    free(names);
    return found;
}

static void check_only(struct load *l)
{
    for (char *const *name = l->q->only; name && *name; name++) {
        if (find_app(&l->out, *name))
            continue;
        own_text hint = did_you_mean(nearest_app(l, *name));
        conf_problem_add(l->problems, l->apps, hint, "--only %s: no app of that name", *name);
    }
}

static bool is_profile(const struct conf_node *n)
{
    return n->type == CONF_TABLE && text_starts(n->key, "env_") && n->key[4] && !key_find(n->key);
}

/* An app without the profile keeps its plain env; a profile that none of the chosen apps has is a
 * typing mistake. */
static void check_profile(struct load *l)
{
    if (!l->q->profile)
        return;
    own_strv known = NULL;
    for (size_t i = 0; i < l->apps->len; i++) {
        const struct conf_node *app = &l->apps->items[i], *name = conf_node_get(app, "name");
        if (!is_wanted(l, name && name->type == CONF_STRING ? name->text : app->key))
            continue;
        for (size_t k = 0; app->type == CONF_TABLE && k < app->len; k++)
            if (is_profile(&app->items[k]))
                known = strv_add(known, app->items[k].key + strlen("env_"));
    }
    if (strv_has(known, l->q->profile))
        return;
    own_text hint = did_you_mean(known ? text_nearest(l->q->profile, (const char *const *)known) : NULL);
    conf_problem_add(l->problems, l->apps, hint, "--env %s: no app has a table env_%s", l->q->profile,
                     l->q->profile);
}

static void drop_unwanted(struct load *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->out.len; i++)
        if (is_wanted(l, l->out.apps[i]->name))
            l->out.apps[kept++] = l->out.apps[i];
        else
            app_spec_free(l->out.apps[i]);
    l->out.len = kept;
}

/* ---- the file ---- */

static void check_top(struct load *l, const struct conf_node *root)
{
    static const char *const known[] = { "apps", NULL };
    for (size_t i = 0; i < root->len; i++) {
        const struct conf_node *n = &root->items[i], at = key_place(n);
        if (strcmp(n->key, known[0]) == 0)
            continue;
        own_text hint = key_find(n->key) ? xasprintf("%s belongs into a table [apps.<name>]", n->key)
                                         : did_you_mean(text_nearest(n->key, known));
        conf_problem_add(l->problems, &at, hint, "%s: unknown key", n->key);
    }
}

static void read_root(struct load *l, const struct conf_node *root)
{
    check_top(l, root);
    l->apps = conf_node_get(root, "apps");
    if (!l->apps || (l->apps->type == CONF_TABLE && l->apps->len == 0)) {
        conf_problem_add(l->problems, l->apps, NULL, "no app: expected a table [apps.<name>]");
        return;
    }
    if (l->apps->type != CONF_TABLE) {
        conf_problem_add(l->problems, l->apps, "write [apps.<name>]", "apps: expected a table, got %s",
                         conf_type_name(l->apps->type));
        return;
    }
    add_apps(l);
    check_only(l);
    check_profile(l);
}

static char *folder_of(const char *path, struct err *e)
{
    own_text cwd = path[0] == '/' ? xstrdup("/") : getcwd(NULL, 0);
    if (!cwd) {
        err_sys(e, "current folder");
        return NULL;
    }
    own_text full = path_absolute(cwd, path);
    return path_dir(full);
}

static int load(struct load *l, struct err *e)
{
    own_text text = NULL;
    size_t n;
    l->base = folder_of(l->q->path, e);
    if (!l->base || file_read_any(l->q->path, FILE_MOST, &text, &n, e) < 0)
        return -1;
    struct conf_node root = { 0 };
    if (toml_parse(text, n, &root, l->problems) == 0)
        read_root(l, &root);
    conf_node_done(&root);
    return 0;
}

int config_load(const struct config_query *q, struct config *out, struct conf_problems *problems)
{
    struct load l = { .q = q, .problems = problems };
    struct err e;
    size_t before = problems->len;
    problems->file = q->path;
    int r = load(&l, &e);
    problems->file = NULL;
    if (r < 0) /* the text names the file */
        conf_problem_add(problems, NULL, e.hint, "%s", e.text);
    free(l.base);
    if (problems->len > before) {
        config_done(&l.out);
        return -1;
    }
    drop_unwanted(&l);
    *out = l.out;
    return 0;
}

void config_done(struct config *c)
{
    for (size_t i = 0; i < c->len; i++)
        app_spec_free(c->apps[i]);
    free(c->apps);
    *c = (struct config){ 0 };
}
