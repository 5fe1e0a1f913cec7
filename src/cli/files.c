#include "cli/files.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

extern char **environ; /* NOLINT(readability-redundant-declaration): not in every system's headers */

bool files_is_one(const char *word)
{
    return strcmp(path_ext(word), ".toml") == 0 && access(word, F_OK) == 0;
}

bool files_is_there(const char *word)
{
    struct stat st;
    return stat(word, &st) == 0 && (strchr(word, '/') || !S_ISDIR(st.st_mode));
}

/* A list of apps for PM2. */
static bool is_pm2s(const char *word)
{
    const char *base = path_base(word);
    return text_starts(base, "ecosystem.") || text_starts(base, "pm2.config.");
}

int files_check_pm2(const char *word, struct err *e)
{
    if (!is_pm2s(word) || !files_is_there(word))
        return 0;
    err_set(e, ERR_CONFIG, "%s: a list of apps for PM2, which velos does not read", word);
    return err_hint(e, "velos init writes a velos.toml to put them into; --interpreter runs it as a program");
}

static void add_names(char ***names, const char *list)
{
    while (*list) {
        size_t n = strcspn(list, ", ");
        if (n)
            *names = strv_take(*names, xstrndup(list, n));
        list += n;
        list += strspn(list, ", ");
    }
}

char **files_only(const struct cli *c)
{
    char **names = NULL;
    for (size_t i = 0; i < c->args.n_given; i++) {
        const struct given *g = &c->args.given[i];
        if (g->opt && strcmp(g->opt->name, "only") == 0)
            add_names(&names, g->value);
    }
    return names;
}

char *files_app_name(const char *script)
{
    const char *base = path_base(script), *ext = path_ext(script);
    size_t n = strlen(base) - strlen(ext);
    own_text name = xstrndup(base, MIN(n, (size_t)SPEC_NAME_MOST));
    for (char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            *p = '-';
    /* A name that begins with a dash would be allowed, but each command took it for an option. */
    bool unfit = strcmp(name, "all") == 0 || name[strspn(name, ".")] == '\0' ||
                 name[strspn(name, "0123456789")] == '\0' || name[0] == '-';
    return unfit ? xasprintf("app-%.*s", SPEC_NAME_MOST - 4, name) : steal(name);
}

/* What a shell's line is named after: its first command, without what sets variables for it. */
static char *line_name(char *const *words)
{
    static const char in_names[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    for (; *words; words++) {
        const char *at = *words + strcspn(*words, in_names);
        own_text word = xstrndup(at, strspn(at, in_names));
        if (*path_base(word) && at[strlen(word)] != '=')
            return files_app_name(word);
    }
    return xstrdup("sh");
}

int files_read_command(const char *line, struct files_command *out, struct err *e)
{
    own_strv words = NULL;
    if (text_split_words(line, &words, e) < 0)
        return err_in(e, "`%s`", line);
    if (!words)
        return err_set(e, ERR_USAGE, "an empty word names no program");
    out->shell = text_needs_shell(line);
    out->name = out->shell ? line_name(words) : files_app_name(words[0]);
    out->words = steal(words);
    if (!out->shell)
        return 0;
    strv_free(out->words);
    out->words = strv_add(strv_add(strv_add(NULL, "sh"), "-c"), line);
    return 0;
}

void files_command_done(struct files_command *cmd)
{
    strv_free(cmd->words);
    free(cmd->name);
    *cmd = (struct files_command){ 0 };
}

void files_append(struct config *to, struct app_spec *take)
{
    to->apps = xrealloc(to->apps, (to->len + 1) * sizeof(struct app_spec *));
    to->apps[to->len++] = take;
}

int files_load(struct cli *c, const char *path, struct config *to)
{
    own_strv only = files_only(c);
    struct config_query query = { .path = path, .only = only, .profile = args_text(&c->args, "env", NULL) };
    struct conf_problems problems = { 0 };
    struct config file = { 0 };
    int status = 0;
    if (config_load(&query, &file, &problems) < 0)
        status = cli_problems(c, &problems);
    for (size_t i = 0; status == 0 && i < file.len; i++)
        files_append(to, steal(file.apps[i]));
    file.len = status == 0 ? 0 : file.len; /* they are to's now */
    config_done(&file);
    conf_problems_done(&problems);
    return status;
}

int files_read_words(struct cli *c, struct config *files, char ***select, struct err *e)
{
    for (const char **w = c->args.words; *w; w++) {
        int status = 0;
        if (files_is_one(*w))
            status = files_load(c, *w, files);
        else if (files_check_pm2(*w, e) < 0)
            status = -1;
        else
            *select = strv_add(*select, *w);
        if (status != 0)
            return status;
    }
    return files_check_opts(c, files, e);
}

int files_explain(const struct cli *c, struct err *e)
{
    for (const char **w = c->args.words; e->code == ERR_NOT_FOUND && *w; w++)
        if (!files_is_there(*w) && (strcmp(path_ext(*w), ".toml") == 0 || is_pm2s(*w)))
            return err_hint(e, "nor is there a file %s here", *w);
    return -1;
}

int files_check_opts(const struct cli *c, const struct config *files, struct err *e)
{
    static const char *const names[] = { "only", "env" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (args_has(&c->args, names[i]) && !files->len)
            return err_set(e, ERR_USAGE, "--%s: there is no file it could choose from", names[i]);
    return files_check_only(c, e);
}

int files_check_only(const struct cli *c, struct err *e)
{
    own_strv only = files_only(c);
    if (args_has(&c->args, "only") && !only) /* "$APPS", and nothing in it: that is not all of them */
        return err_set(e, ERR_USAGE, "--only: no app is named");
    return 0;
}

void files_write_apps(const struct config *apps, struct json_out *j)
{
    json_open(j, "apps", '[');
    for (size_t i = 0; i < apps->len; i++)
        keys_write_json(apps->apps[i], j, NULL);
    json_close(j, ']');
}

void files_write_environ(struct json_out *j)
{
    json_strv(j, "environ", environ);
}
