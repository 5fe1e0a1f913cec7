/* init: a velos.toml to begin with: one app that starts as it is, and every setting as a comment. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/files.h"

#define FILE_NAME "velos.toml"

/* What an app's script tends to be called; the first that is there. NULL: none is. */
static const char *guess_script(void)
{
    static const char *const usual[] = { "server.js",  "index.js",  "app.js",    "main.js",
                                         "server.mjs", "index.mjs", "server.ts", "index.ts",
                                         "main.py",    "app.py",    "server.py", "main.rb",
                                         "app.rb",     "main.php",  "run.sh",    "start.sh" };
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        if (access(usual[i], F_OK) == 0)
            return usual[i];
    return NULL;
}

/* A TOML string. */
static void add_quoted(struct buf *out, const char *text)
{
    buf_addc(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == 0x7f)
            buf_addf(out, "\\u%04x", c);
        else
            buf_addf(out, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
    }
    buf_addc(out, '"');
}

/* A name may hold dots, which TOML takes for tables in tables. */
static char *table_name(const char *app)
{
    return strchr(app, '.') ? xasprintf("\"%s\"", app) : xstrdup(app);
}

static void add_args(struct buf *out, char *const *args)
{
    buf_adds(out, "\nargs = [");
    for (size_t i = 0; args[i]; i++) {
        buf_adds(out, i ? ", " : "");
        add_quoted(out, args[i]);
    }
    buf_addc(out, ']');
}

/* words: the script and its arguments; NULL: an example */
static void add_app(struct buf *out, const char *app, char *const *words)
{
    own_text table = table_name(app);
    buf_adds(
        out,
        "# What velos runs from this folder: velos start, velos check, velos help.\n"
        "# Lines behind # show the default of a setting, or an example where it has none. Relative paths\n"
        "# are relative to this file. Durations: \"500ms\" \"5s\" \"2m\" \"1h\"; sizes: \"64K\" \"150M\" "
        "\"1G\".\n\n");
    buf_addf(out, "[apps.%s]\nscript = ", table);
    add_quoted(out, words ? words[0] : "sh");
    if (words && words[1])
        add_args(out, words + 1);
    if (!words)
        buf_adds(out, " # put yours here, and take the args away\n"
                      "args = [\"-c\", \"while :; do date; sleep 5; done\"]");
    buf_addc(out, '\n');
    keys_write_example(out, table);
}

static int write_file(const struct buf *text, bool force, struct err *e)
{
    own_fd fd = open(FILE_NAME, O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL), 0666);
    if (fd < 0 && errno == EEXIST) {
        err_set(e, ERR_EXISTS, FILE_NAME ": is there already");
        return err_hint(e, "velos init --force overwrites it");
    }
    if (fd < 0)
        return err_sys(e, FILE_NAME);
    return file_write_all(fd, text->data, text->len, e) < 0 ? err_in(e, FILE_NAME) : 0;
}

static int report(const struct cli *c, const char *app, const char *script, struct err *e)
{
    own_buf out = { 0 };
    if (c->json) {
        struct json_out j = JSON_OUT(&out);
        json_open(&j, NULL, '{');
        json_str(&j, "file", FILE_NAME);
        json_str(&j, "app", app);
        json_str(&j, "script", script);
        json_close(&j, '}');
        return out_json_text(out.data, out.len, e);
    }
    buf_addf(&out, FILE_NAME ": written, with an app %s", app);
    buf_addf(&out, script ? " that runs %s\n" : " as an example\n", script);
    return out_write(&out, e);
}

/* As start takes a word: a file, or a command ("npm run dev"). */
static int read_word(const char *word, struct files_command *out, struct err *e)
{
    if (!files_is_there(word))
        return files_read_command(word, out, e);
    out->words = strv_add(NULL, word);
    out->name = files_app_name(word);
    return 0;
}

static int init_run(struct cli *c, struct err *e)
{
    const char *script = c->args.n_words ? c->args.words[0] : guess_script();
    struct files_command cmd = { 0 };
    own_buf text = { 0 };
    if (script && read_word(script, &cmd, e) < 0)
        return -1;
    const char *app = cmd.name ? cmd.name : "example";
    add_app(&text, app, cmd.words);
    int status = write_file(&text, args_has(&c->args, "force"), e);
    if (status == 0)
        status = report(c, app, script, e);
    files_command_done(&cmd);
    return status;
}

const struct cmd cmd_init = {
    .name = "init",
    .usage = "init [--force] [script]",
    .about = "Write a velos.toml here to begin with: one app, and every setting as a comment.",
    .more = "Without a script it takes the usual one that is here (server.js, main.py ...), or an example.",
    .args = { .max = 1 },
    .opts = (const struct opt[]){ { 'f', "force", OPT_FLAG, "Overwrite the one that is there." }, { 0 } },
    .words = WORDS_FILES,
    .run = init_run,
};
