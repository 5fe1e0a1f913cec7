#include "app/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/pattern.h"

/* Counts what a selector matched; an app that was there already is not added again. */
static void add(struct selection *s, struct app *a, size_t *matched)
{
    ++*matched;
    for (size_t i = 0; i < s->n; i++)
        if (s->apps[i] == a)
            return;
    s->apps = xrealloc(s->apps, (s->n + 1) * sizeof(struct app *));
    s->apps[s->n++] = a;
}

void selection_done(struct selection *s)
{
    free(s->apps);
    *s = (struct selection){ 0 };
}

static bool is_id(const char *sel)
{
    return *sel && strspn(sel, "0123456789") == strlen(sel) && strlen(sel) < 18;
}

static bool matches_namespace(const struct app *a, const char *sel)
{
    const char *slash = strchr(sel, '/');
    if (!slash)
        return false;
    size_t n = (size_t)(slash - sel);
    if (strlen(a->spec->ns) != n || strncmp(a->spec->ns, sel, n) != 0)
        return false;
    return strcmp(slash + 1, "*") == 0 || strcmp(slash + 1, a->spec->name) == 0;
}

static int add_regex(const struct world *w, const char *sel, struct selection *s, size_t *matched,
                     struct err *e)
{
    struct pattern *p = NULL;
    const char *gave_up = NULL;
    if (pattern_from_word(sel, &p, e) < 0)
        return -1;
    list_each (l, &w->apps) {
        struct app *a = container_of(l, struct app, link);
        if (pattern_matches(p, a->spec->name, strlen(a->spec->name)))
            add(s, a, matched);
        else if ((gave_up = pattern_gave_up(p)))
            break;
    }
    int r = gave_up ? err_set(e, ERR_USAGE, "`%.60s`: %s", sel, gave_up) : 0;
    pattern_free(p);
    return r;
}

static int not_found(const struct world *w, const char *sel, struct err *e)
{
    const char **names = xcalloc(w->n_apps + 1, sizeof(*names));
    size_t n = 0;
    list_each (l, &w->apps)
        names[n++] = container_of(l, struct app, link)->spec->name;
    const char *near = text_nearest(sel, names);
    err_set(e, ERR_NOT_FOUND, "no app `%.80s`", sel);
    if (near)
        err_hint(e, "did you mean %s?", near);
    else
        err_hint(e, n ? "velos list shows the apps there are"
                      : "there are no apps yet; velos start SCRIPT makes one");
    free(names);
    return -1;
}

static int add_matching(const struct world *w, const char *sel, struct selection *s, struct err *e)
{
    size_t matched = 0;
    bool all = strcmp(sel, "all") == 0;
    if (pattern_is_word(sel)) {
        if (add_regex(w, sel, s, &matched, e) < 0)
            return -1;
    } else if (is_id(sel)) {
        struct instance *in = world_instance(w, strtoll(sel, NULL, 10));
        if (in)
            add(s, in->app, &matched);
    } else {
        list_each (l, &w->apps) {
            struct app *a = container_of(l, struct app, link);
            if (all || strcmp(a->spec->name, sel) == 0 || matches_namespace(a, sel))
                add(s, a, &matched);
        }
    }
    if (matched || all)
        return 0;
    return not_found(w, sel, e);
}

int select_apps(const struct world *w, const json_t *select, struct selection *out, struct err *e)
{
    struct selection s = { 0 };
    size_t i;
    json_t *v;
    if (!select && add_matching(w, "all", &s, e) < 0)
        return -1;
    json_array_foreach((json_t *)select, i, v)
    {
        const char *sel = json_string_value(v);
        if (!sel)
            err_set(e, ERR_PARAMS, "select: texts are expected");
        if (!sel || add_matching(w, sel, &s, e) < 0) {
            selection_done(&s);
            return -1;
        }
    }
    *out = s;
    return 0;
}

bool select_has_instance(const json_t *select, const struct instance *in)
{
    size_t i;
    json_t *v;
    bool any_other = !select;
    json_array_foreach((json_t *)select, i, v)
    {
        const char *sel = json_string_value(v);
        if (is_id(sel)) {
            if (strtoll(sel, NULL, 10) == in->id)
                return true;
            continue;
        }
        any_other = any_other || pattern_is_word(sel) || strcmp(sel, "all") == 0 ||
                    strcmp(in->app->spec->name, sel) == 0 || matches_namespace(in->app, sel);
    }
    return any_other;
}
