#include "conf/settings_file.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "conf/toml.h"

enum { FILE_MOST = 1 << 20 };

static void unknown_table(const struct conf_node *n, struct conf_problems *problems)
{
    static const char *const known[] = { "daemon", NULL };
    const struct conf_node at = { .line = n->key_line, .col = n->key_col };
    const char *near = text_nearest(n->key, known);
    own_text hint = NULL;
    if (strcmp(n->key, "apps") == 0)
        hint = xstrdup("apps belong into a file of their own: velos start FILE.toml");
    else if (key_find_in(&settings_table, n->key))
        hint = xasprintf("%s belongs into the table [daemon]", n->key);
    else if (near)
        hint = xasprintf("did you mean %s?", near);
    conf_problem_add(problems, &at, hint, "%s: unknown key", n->key);
}

static void read_root(const struct conf_node *root, struct settings *s, struct conf_problems *problems)
{
    for (size_t i = 0; i < root->len; i++) {
        const struct conf_node *n = &root->items[i];
        if (strcmp(n->key, "daemon") != 0)
            unknown_table(n, problems);
        else if (n->type != CONF_TABLE)
            conf_problem_add(problems, n, "write [daemon]", "daemon: expected a table, got %s",
                             conf_type_name(n->type));
        else
            settings_read(s, n, problems);
    }
}

static int parse(const char *path, struct conf_node *root, struct conf_problems *problems)
{
    struct err e;
    own_text text = NULL;
    size_t n;
    if (file_read(path, FILE_MOST, &text, &n, &e) == 0)
        return toml_parse(text, n, root, problems);
    if (e.sys == ENOENT)
        return 0;
    problems->file = NULL; /* the text names the file */
    conf_problem_add(problems, NULL, e.hint, "%s", e.text);
    return -1;
}

int settings_load(const char *path, struct settings **out, struct conf_problems *problems)
{
    struct conf_node root = { .type = CONF_TABLE };
    size_t before = problems->len;
    *out = settings_new();
    problems->file = path;
    if (parse(path, &root, problems) == 0)
        read_root(&root, *out, problems);
    problems->file = NULL;
    conf_node_done(&root);
    return problems->len > before ? -1 : 0;
}

bool settings_file_is_one(const char *path)
{
    struct conf_problems ignored = { 0 };
    struct conf_node root = { .type = CONF_TABLE };
    bool is =
        parse(path, &root, &ignored) == 0 && conf_node_get(&root, "daemon") && !conf_node_get(&root, "apps");
    conf_node_done(&root);
    conf_problems_done(&ignored);
    return is || strcmp(path_base(path), SETTINGS_FILE) == 0;
}
