/* completions: a script for the shell, written from the rows of the commands, of their options and of the key
 * table. It asks `velos list --names` for the apps there are. */
#include <string.h>

#include "cli/cli.h"
#include "conf/keys.h"
#include "os/signame.h"

/* One option as shells see it, be it a row of a command or of the key table. */
struct flag {
    char letter;
    char *name; /* without the dashes */
    const char *about;
    enum flag_value { NO_VALUE, MAYBE_VALUE, PLAIN_VALUE, FILE_VALUE, COLOR_VALUE } value;
};
typedef void flag_fn(struct buf *out, const struct flag *f, const char *names);

#define COLOR_WORDS "auto always never"
#define SHELL_WORDS "bash zsh fish"

/* "list", "ls" and "status", with what stands between them. */
static char *command_names(const struct cmd *cmd, const char *between)
{
    own_buf out = { 0 };
    buf_adds(&out, cmd->name);
    for (const char *const *a = cmd->aliases; a && *a; a++)
        buf_addf(&out, "%s%s", between, *a);
    return buf_steal(&out);
}

static enum flag_value opt_value(const struct opt *o)
{
    if (o->type == OPT_FLAG)
        return NO_VALUE;
    if (text_equal(o->value, "FILE"))
        return FILE_VALUE;
    return text_equal(o->value, "WHEN") ? COLOR_VALUE : PLAIN_VALUE;
}

static enum flag_value key_value(const struct key *k)
{
    if (k->type == KEY_BOOL)
        return NO_VALUE;
    if (args_key_is_switch(k))
        return MAYBE_VALUE;
    return k->type == KEY_PATH || k->type == KEY_PATHS ? FILE_VALUE : PLAIN_VALUE;
}

static void each_opt(struct buf *out, const struct opt *opts, const char *names, flag_fn *add)
{
    for (const struct opt *o = opts; o && o->name; o++) {
        own_text name = xstrdup(o->name);
        add(out, &(struct flag){ o->letter, name, o->about, opt_value(o) }, names);
    }
}

static void each_key(struct buf *out, const char *names, flag_fn *add)
{
    for (const struct key *k = keys; k < keys + keys_len; k++) {
        if (k->flags & KEY_FILE_ONLY)
            continue;
        own_text name = args_key_flag(k);
        own_text no = xasprintf("no-%s", name);
        add(out, &(struct flag){ args_key_letter(k), name, k->about, key_value(k) }, names);
        if (args_key_is_switch(k) && text_equal(k->def, "true"))
            add(out, &(struct flag){ 0, no, k->about, NO_VALUE }, names);
    }
}

static void each_flag(struct buf *out, const struct cmd *cmd, flag_fn *add)
{
    own_text names = command_names(cmd, " ");
    each_opt(out, cmd->opts, names, add);
    each_opt(out, common_opts, names, add);
    if (cmd->args.settings)
        each_key(out, names, add);
}

static void add_command_names(struct buf *out)
{
    for (const struct cmd *const *c = commands; *c; c++)
        buf_addf(out, "%s%s", c == commands ? "" : " ", (*c)->name);
}

static void add_signal_names(struct buf *out)
{
    for (int n = 1, some = 0; n <= os_signal_last(); n++) {
        const char *name = key_signal_name(n);
        if (name)
            buf_addf(out, "%s%s", some++ ? " " : "", name + strlen("SIG"));
    }
    if (os_signal_first_realtime() <= os_signal_last())
        buf_adds(out, " RTMIN RTMAX");
}

/* What a command's words may be, apart from apps and files: as text, "" for nothing. */
static char *fixed_words(const struct cmd *cmd)
{
    own_buf out = { 0 };
    if (cmd->words & WORDS_COMMANDS)
        add_command_names(&out);
    if (cmd->words & WORDS_SIGNALS)
        add_signal_names(&out);
    if (cmd->words & WORDS_SHELLS)
        buf_adds(&out, SHELL_WORDS);
    return buf_steal(&out);
}

/* `text` with a backslash before each of `special`; a ' ends the quoted string for a moment. */
static void add_escaped(struct buf *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'')
            buf_adds(out, "'\\''");
        else if (strchr(special, *text))
            buf_addf(out, "\\%c", *text);
        else
            buf_addc(out, *text);
    }
}

/* bash ------------------------------------------------------------------------------------------------- */

static void bash_option(struct buf *out, const struct flag *f, const char *names)
{
    buf_addf(out, " --%s", f->name);
    if (f->letter)
        buf_addf(out, " -%c", f->letter);
}

static void bash_takes(struct buf *out, const struct flag *f, const char *action)
{
    buf_addf(out, "        --%s", f->name);
    if (f->letter)
        buf_addf(out, "|-%c", f->letter);
    buf_addf(out, ") %s ;;\n", action);
}

static void bash_value(struct buf *out, const struct flag *f, const char *names)
{
    if (f->value == FILE_VALUE)
        bash_takes(out, f, "files=1");
    else if (f->value == COLOR_VALUE)
        bash_takes(out, f, "words='" COLOR_WORDS "'");
    else if (f->value == PLAIN_VALUE)
        bash_takes(out, f, "");
}

static void bash_command(struct buf *out, const struct cmd *cmd)
{
    own_text fixed = fixed_words(cmd);
    const char *apps = cmd->words & WORDS_APPS ? " $(_velos_apps)" : "";
    own_text names = command_names(cmd, "|");
    buf_addf(out, "    %s)\n        case $prev in\n", names);
    each_flag(out, cmd, bash_value);
    buf_adds(out, "        *) options='");
    each_flag(out, cmd, bash_option);
    buf_adds(out, "'\n");
    if (cmd->words & WORDS_SIGNALS)
        buf_addf(out, "           [[ $prev == \"$command\" ]] && words='%s' || words=\"%s\"\n", fixed, apps);
    else
        buf_addf(out, "           [[ $cur == -* ]] || words=\"%s%s\"\n", fixed, apps);
    if (cmd->words & WORDS_FILES)
        buf_adds(out, "           files=1\n");
    buf_adds(out, "           ;;\n        esac ;;\n");
}

static void bash(struct buf *out)
{
    buf_adds(out, "# velos for bash: eval \"$(velos completions bash)\"\n"
                  "_velos_apps() { velos list --names 2>/dev/null; }\n"
                  "_velos() {\n"
                  "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                  "    local command= options= words= files= i\n"
                  "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                  "        case ${COMP_WORDS[i]} in\n"
                  "        --color) ((i++)) ;;\n"
                  "        -*) ;;\n"
                  "        *) command=${COMP_WORDS[i]}; break ;;\n"
                  "        esac\n"
                  "    done\n"
                  "    case $command in\n"
                  "    '')\n"
                  "        case $prev in\n");
    each_opt(out, common_opts, NULL, bash_value);
    buf_adds(out, "        *) options='");
    each_opt(out, common_opts, NULL, bash_option);
    buf_adds(out, " --version'\n           words='");
    add_command_names(out);
    buf_adds(out, "' ;;\n        esac ;;\n");
    for (const struct cmd *const *c = commands; *c; c++)
        bash_command(out, *c);
    buf_adds(out, "    esac\n"
                  "    [[ $cur == -* ]] && words=$options files=\n"
                  "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                  "    if [[ $files ]]; then\n"
                  "        compopt -o filenames 2>/dev/null\n"
                  "        local IFS=$'\\n'\n"
                  "        COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
                  "    fi\n"
                  "}\n"
                  "complete -F _velos velos\n");
}

/* zsh -------------------------------------------------------------------------------------------------- */

/* Once, whichever of its names is used: '(-n --name)'{-n,--name=}'[about]:value:_files' */
static void zsh_option(struct buf *out, const struct flag *f, const char *names)
{
    static const char *const suffixes[] = {
        [MAYBE_VALUE] = "=-", [PLAIN_VALUE] = "=", [FILE_VALUE] = "=", [COLOR_VALUE] = "="
    };
    static const char *const values[] = {
        [NO_VALUE] = "",
        [MAYBE_VALUE] = "::value: ",
        [PLAIN_VALUE] = ":value: ",
        [FILE_VALUE] = ":file:_files",
        [COLOR_VALUE] = ":when:(" COLOR_WORDS ")",
    };
    const char *suffix = f->value == NO_VALUE ? "" : suffixes[f->value];
    buf_adds(out, " \\\n            ");
    if (f->letter)
        buf_addf(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", f->letter, f->name, f->letter, f->value ? "+" : "",
                 f->name, suffix);
    else
        buf_addf(out, "'--%s%s[", f->name, suffix);
    add_escaped(out, f->about, "[]\\");
    buf_addf(out, "]%s'", values[f->value]);
}

static void zsh_words(struct buf *out, const struct cmd *cmd)
{
    own_text fixed = fixed_words(cmd);
    if (fixed[0])
        buf_addf(out, " \\\n            '1: :(%s)'", fixed);
    if (cmd->words & (WORDS_APPS | WORDS_FILES))
        buf_addf(out, " \\\n            '*: :{%s%s}'", cmd->words & WORDS_APPS ? "_velos_apps;" : "",
                 cmd->words & WORDS_FILES ? "_files" : "");
}

static void zsh(struct buf *out)
{
    buf_adds(
        out,
        "#compdef velos\n"
        "# velos for zsh: eval \"$(velos completions zsh)\", or as a file _velos in a folder of $fpath\n"
        "_velos_apps() { local -a apps=(${(f)\"$(velos list --names 2>/dev/null)\"}); compadd -a apps }\n"
        "_velos() {\n"
        "    local curcontext=$curcontext state line\n"
        "    typeset -A opt_args\n"
        "    _arguments -C");
    each_opt(out, common_opts, NULL, zsh_option);
    buf_adds(out, " \\\n        '1: :->command' '*:: :->words' && return\n"
                  "    case $state in\n"
                  "    command)\n"
                  "        local -a commands=(");
    for (const struct cmd *const *c = commands; *c; c++) {
        buf_addf(out, "\n            '%s:", (*c)->name);
        add_escaped(out, (*c)->about, ":\\");
        buf_addc(out, '\'');
    }
    buf_adds(out, "\n        )\n"
                  "        _describe command commands ;;\n"
                  "    words)\n"
                  "        case $words[1] in\n");
    for (const struct cmd *const *c = commands; *c; c++) {
        own_text names = command_names(*c, "|");
        buf_addf(out, "        %s)\n            _arguments -s", names);
        each_flag(out, *c, zsh_option);
        zsh_words(out, *c);
        buf_adds(out, " ;;\n");
    }
    buf_adds(out, "        esac ;;\n"
                  "    esac\n"
                  "}\n"
                  "if [[ $funcstack[1] == _velos ]]; then _velos \"$@\"; else compdef _velos velos; fi\n");
}

/* fish ------------------------------------------------------------------------------------------------- */

static void fish_condition(struct buf *out, const char *names)
{
    if (names)
        buf_addf(out, "complete -c velos -n '__velos_in %s'", names);
    else
        buf_adds(out, "complete -c velos -n '__velos_in'");
}

static void fish_option(struct buf *out, const struct flag *f, const char *names)
{
    static const char *const values[] = {
        [NO_VALUE] = "",
        [MAYBE_VALUE] = "",
        [PLAIN_VALUE] = " -x",
        [FILE_VALUE] = " -rF",
        [COLOR_VALUE] = " -xa '" COLOR_WORDS "'",
    };
    fish_condition(out, names);
    if (f->letter)
        buf_addf(out, " -s %c", f->letter);
    buf_addf(out, " -l %s%s -d '", f->name, values[f->value]);
    add_escaped(out, f->about, "\\");
    buf_adds(out, "'\n");
}

static void fish_words(struct buf *out, const struct cmd *cmd)
{
    own_text fixed = fixed_words(cmd);
    own_text names = command_names(cmd, " ");
    if (fixed[0]) /* the first word alone is one of them */
        buf_addf(out,
                 "complete -c velos -n '__velos_in %s; and test (count (commandline -opc)) -le 2' -a '%s'\n",
                 names, fixed);
    if (cmd->words & WORDS_APPS) {
        fish_condition(out, names);
        buf_adds(out, " -a '(velos list --names 2>/dev/null)' -d app\n");
    }
    if (cmd->words & WORDS_FILES) {
        fish_condition(out, names);
        buf_adds(out, " -F\n");
    }
}

static void fish(struct buf *out)
{
    buf_adds(out, "# velos for fish: velos completions fish >~/.config/fish/completions/velos.fish\n"
                  "# Is the command given that of the argument? Without an argument: is none given yet?\n"
                  "function __velos_in\n"
                  "    for word in (commandline -opc)[2..]\n"
                  "        string match -q -- '-*' $word; and continue\n"
                  "        contains -- $word $argv\n"
                  "        return\n"
                  "    end\n"
                  "    not set -q argv[1]\n"
                  "end\n"
                  "complete -c velos -f\n");
    each_opt(out, common_opts, NULL, fish_option);
    for (const struct cmd *const *c = commands; *c; c++) {
        fish_condition(out, NULL);
        buf_addf(out, " -a %s -d '", (*c)->name);
        add_escaped(out, (*c)->about, "\\");
        buf_adds(out, "'\n");
    }
    for (const struct cmd *const *c = commands; *c; c++) {
        each_flag(out, *c, fish_option);
        fish_words(out, *c);
    }
}

/* ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    void (*write)(struct buf *out);
} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

static int completions_run(struct cli *c, struct err *e)
{
    own_buf out = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(shells); i++)
        if (strcmp(shells[i].name, c->args.words[0]) == 0) {
            shells[i].write(&out);
            return out_write(&out, e);
        }
    return err_set(e, ERR_USAGE, "no shell `%s` is known: bash, zsh or fish", c->args.words[0]);
}

const struct cmd cmd_completions = {
    .name = "completions",
    .usage = "completions <bash|zsh|fish>",
    .about = "A script that makes the shell complete commands, options and apps.",
    .more =
        "bash: eval \"$(velos completions bash)\" in ~/.bashrc. zsh: eval \"$(velos completions zsh)\" in\n"
        "~/.zshrc, behind compinit. fish: velos completions fish >~/.config/fish/completions/velos.fish.\n"
        "The apps' names come from velos list --names.",
    .args = { .min = 1, .max = 1 },
    .words = WORDS_SHELLS,
    .run = completions_run,
};
