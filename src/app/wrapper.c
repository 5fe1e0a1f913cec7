#include "app/wrapper.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum { PACKAGE_JSON_MOST = 1 << 20, SHELL_SCRIPT_MOST = 64 << 10 };

static bool is_one_of(const char *word, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(path_base(word), *names) == 0)
            return true;
    return false;
}

static bool speaks_channel(const char *program)
{
    static const char *const names[] = { "node", "nodejs", "bun", "deno", "tsx", NULL };
    return is_one_of(program, names);
}

/* "PORT=80" in front of a command. */
static bool is_assignment(const char *word)
{
    size_t n = strcspn(word, "=");
    return n > 0 && word[n] == '=' && strcspn(word, "/") > n;
}

static bool is_shell_mark(char c)
{
    return strchr(";&|(){}`\n", c) != NULL;
}

/* Roughly, which is enough: whether a word where a command may stand is one of the programs. */
static bool line_leads_to_node(const char *line)
{
    static const char *const before[] = { "exec",  "then", "do",   "else", "if",
                                          "while", "!",    "time", "env",  NULL };
    bool command = true;
    for (const char *p = line; *p;) {
        size_t n = strcspn(p, " \t;&|(){}`\n");
        own_text word = xasprintf("%.*s", (int)n, p);
        bool comment = *p == '#';
        if (n && command && !comment && speaks_channel(word))
            return true;
        if (n)
            command = command && (is_assignment(word) || is_one_of(word, before));
        p += comment ? strcspn(p, "\n") : n;
        for (; *p && strchr(" \t;&|(){}`\n", *p); p++)
            command |= is_shell_mark(*p);
    }
    return false;
}

static bool script_leads_to_node(const char *script, const char *cwd)
{
    struct err ignored; /* the shell itself will say so */
    own_text path = path_absolute(cwd, script);
    own_text text = NULL;
    return file_read(path, SHELL_SCRIPT_MOST, &text, NULL, &ignored) == 0 && line_leads_to_node(text);
}

/* sh [options] FILE, or sh [options] -c LINE */
static bool shell_leads_to_node(char *const *args, const char *cwd)
{
    bool line = false;
    for (; *args && **args == '-'; args++)
        line |= args[0][1] != '-' && strchr(args[0], 'c') != NULL;
    if (!*args || (!line && !cwd))
        return false;
    return line ? line_leads_to_node(*args) : script_leads_to_node(*args, cwd);
}

bool wrapper_leads_to_node(char *const *argv, const char *cwd)
{
    static const char *const shells[] = { "sh", "bash", "dash", "ash", "zsh", "ksh", NULL };
    static const char *const passers[] = { "env",     "nice",   "ionice",    "nohup",   "setsid",
                                           "setpriv", "stdbuf", "chrt",      "taskset", "time",
                                           "timeout", "tini",   "dumb-init", NULL };
    if (speaks_channel(argv[0]))
        return true;
    if (is_one_of(argv[0], shells))
        return shell_leads_to_node(argv + 1, cwd);
    if (!is_one_of(argv[0], passers))
        return false;
    for (char *const *a = argv + 1; *a; a++) { /* behind options and their values */
        if (speaks_channel(*a))
            return true;
        if (is_one_of(*a, shells) || is_one_of(*a, passers))
            return wrapper_leads_to_node(a, cwd);
    }
    return false;
}

/* The package.json script a command runs; NULL if it runs none that we can name. */
static const char *script_of(char *const *words)
{
    static const char *const managers[] = { "npm", "yarn", "pnpm", "bun", NULL };
    static const char *const run[] = { "run", "run-script", NULL };
    size_t n = strv_len(words);
    if (n == 2 && is_one_of(words[0], managers) && strcmp(words[1], "start") == 0)
        return words[1];
    if (n == 3 && is_one_of(words[0], managers) && is_one_of(words[1], run))
        return words[2];
    return NULL;
}

static int opaque(struct err *e, const char *why)
{
    err_set(e, ERR_CONFIG, "wait_ready and shutdown_with_message need Node's channel, which %s", why);
    return err_hint(
        e, "start the app's own file (velos start ./server.js), or say READY=1 on $NOTIFY_SOCKET and run "
           "`node` directly");
}

int wrapper_resolve_script(const char *package_json, size_t n, const char *script, char ***out, struct err *e)
{
    own_json package = NULL;
    own_strv words = NULL;
    if (json_parse(package_json, n, &package, e) < 0)
        return err_in(e, "package.json");
    const json_t *scripts = json_object_get(package, "scripts");
    const char *command = json_get_str(scripts, script, NULL);
    own_text before = xasprintf("pre%s", script);
    own_text after = xasprintf("post%s", script);
    if (!command) {
        err_set(e, ERR_CONFIG, "package.json has no script `%s`", script);
        return -1;
    }
    if (json_object_get(scripts, before) || json_object_get(scripts, after))
        return opaque(e, "a pre or post script of package.json keeps from it");
    if (text_needs_shell(command) || text_split_words(command, &words, e) < 0 || !words || !words[0] ||
        strcmp(words[0], "node") != 0 || !words[1])
        return opaque(e, "ends in the wrapper: the script of package.json is no plain `node FILE`");
    *out = steal(words);
    return 1;
}

int wrapper_resolve(char *const *words, const char *cwd, char ***out, struct err *e)
{
    static const char *const wrappers[] = { "npm", "npx", "yarn", "pnpm", "corepack", "nodemon", NULL };
    size_t n;
    if (!is_one_of(words[0], wrappers))
        return 0;
    const char *script = script_of(words);
    if (!script)
        return opaque(e, "ends in the wrapper");
    own_text path = path_join(cwd, "package.json");
    own_text text = NULL;
    if (file_read(path, PACKAGE_JSON_MOST, &text, &n, e) < 0)
        return err_in(e, "%s %s", path_base(words[0]), script);
    return wrapper_resolve_script(text, n, script, out, e);
}
