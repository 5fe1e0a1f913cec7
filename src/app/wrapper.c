#include "app/wrapper.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum { PACKAGE_JSON_MOST = 1 << 20 };

static bool is_one_of(const char *word, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(path_base(word), *names) == 0)
            return true;
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
