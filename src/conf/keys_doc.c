/* docs/settings.md, from the rows. A unit test compares the two. */
#include "conf/settings.h"

#include <string.h>

static const char intro[] =
    "# Settings\n\n"
    "<!-- Written by src/conf/keys_doc.c: change the table in src/conf/keys.c, then UPDATE_DOCS=1 (see "
    "keys_test.c). "
    "-->\n\n"
    "`velos.toml` holds apps as tables `[apps.<name>]`, an app's environment as `[apps.<name>.env]`. A "
    "profile,\n"
    "`[apps.<name>.env_<profile>]`, is merged over it with `--env <profile>`. `velos check <file>` tells all "
    "that is\n"
    "wrong with a file; [`config/velos.example.toml`](../config/velos.example.toml) shows every key.\n\n"
    "- Relative paths are relative to the file; on the command line to the current folder.\n"
    "- Durations: `\"500ms\"`, `\"5s\"`, `\"2m\"`, `\"1h\"`, `\"1d\"`; an integer is milliseconds.\n"
    "- Sizes: `\"64K\"`, `\"150M\"`, `\"1G\"`, 1024-based; an integer is bytes.\n"
    "- Last wins: default, file, profile, flag. A list given as a flag may be repeated.\n\n"
    "| Key | Flag | Type | Default | Meaning |\n|---|---|---|---|---|\n";

static const char daemon_intro[] =
    "\n## The daemon's own\n\n"
    "`$VELOS_HOME/config.toml`, a table `[daemon]`. It is read when the daemon is started, and by `velos "
    "update`; `velos\n"
    "check ~/.velos/config.toml` tells all that is wrong with it.\n\n"
    "| Key | Type | Default | Meaning |\n|---|---|---|---|\n";

/* A cell may not contain `|`. */
static void add_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_addc(out, '\\');
        buf_addc(out, *text);
    }
}

static void add_flag_name(struct buf *out, const char *lead, const struct key *k)
{
    buf_adds(out, lead);
    for (const char *c = k->name; *c; c++)
        buf_addc(out, *c == '_' ? '-' : *c);
    buf_addc(out, '`');
}

/* What is on by default is switched off. */
static void add_flag(struct buf *out, const struct key *k)
{
    bool on = k->def && strcmp(k->def, "true") == 0;
    if (k->flags & KEY_FILE_ONLY)
        return;
    if (!(on && k->type == KEY_BOOL))
        add_flag_name(out, "`--", k);
    if (on)
        add_flag_name(out, k->type == KEY_BOOL ? "`--no-" : ", `--no-", k);
}

static void add_range(struct buf *out, const struct key *k)
{
    if (k->type == KEY_COUNT && k->max && k->max != INT64_MAX)
        buf_addf(out, " %lld-%lld", (long long)k->min, (long long)k->max);
    else if (k->type == KEY_COUNT)
        buf_addf(out, " >= %lld", (long long)k->min);
    else if (k->type == KEY_DURATION && k->max)
        buf_addf(out, " of at most %lld h", (long long)(k->max / 3600000));
}

static void add_row(struct buf *out, const struct key *k, bool flags)
{
    buf_addf(out, "| `%s`", k->name);
    for (const char *const *alias = k->aliases; alias && *alias; alias++)
        buf_addf(out, ", `%s`", *alias);
    buf_adds(out, " | ");
    if (flags) {
        add_flag(out, k);
        buf_adds(out, " | ");
    }
    add_cell(out, k->shape);
    add_range(out, k);
    buf_adds(out, k->flags & KEY_REQUIRED ? ", required | " : " | ");
    bool list = k->def && k->flags & KEY_LIST && strcmp(k->def, "true") != 0 && strcmp(k->def, "false") != 0;
    if (k->def)
        buf_addf(out, list ? "`[%s]`" : "`%s`", k->def);
    buf_adds(out, " | ");
    add_cell(out, k->about);
    buf_adds(out, " |\n");
}

void keys_write_markdown(struct buf *out)
{
    buf_adds(out, intro);
    for (const struct key *k = keys; k < keys + keys_len; k++)
        add_row(out, k, true);
    buf_adds(out, daemon_intro);
    for (const struct key *k = settings_table.rows; k < settings_table.rows + settings_table.len; k++)
        add_row(out, k, false);
}
