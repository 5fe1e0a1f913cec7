/* The same rows as help on the terminal, as files: Markdown and roff. */
#include <string.h>

#include "cli/help.h"

/* docs/commands.md ------------------------------------------------------------------------------------ */

static void add_markdown_row(struct buf *out, const char *left, const char *about,
                             const struct help_look *unused)
{
    buf_addf(out, "| `%s` | ", left);
    for (; *about; about++) {
        if (*about == '|')
            buf_addc(out, '\\');
        buf_addc(out, *about);
    }
    buf_adds(out, " |\n");
}

static void add_markdown_command(struct buf *out, const struct cmd *cmd)
{
    buf_addf(out, "\n## %s\n\n```\nvelos %s\n```\n\n%s", cmd->name, cmd->usage, cmd->about);
    for (const char *const *a = cmd->aliases; a && *a; a++)
        buf_addf(out, "%s`%s`%s", a == cmd->aliases ? " Also called " : ", ", *a, a[1] ? "" : ".");
    buf_addc(out, '\n');
    if (cmd->more)
        buf_addf(out, "\n%s\n", cmd->more);
    if (cmd->opts || cmd->args.settings)
        buf_adds(out, "\n| Option | |\n|---|---|\n");
    help_add_opts(out, cmd->opts, add_markdown_row, NULL);
    if (cmd->args.settings)
        help_add_settings(out, add_markdown_row, NULL);
}

char *manual_markdown(void)
{
    own_buf out = { 0 };
    buf_adds(
        &out,
        "# Commands\n\n"
        "Written from the command rows (`src/cli/cmd/`) and the key table by\n"
        "`UPDATE_DOCS=1 meson test -C build`; do not edit.\n\n"
        "`velos <command> [options] [args]`. Options may stand anywhere, also in front of the command; `--`\n"
        "ends them. Data goes to stdout, everything else to stderr. An `<app>` is a name, an id, `all`,\n"
        "`namespace/name`, `namespace/*`, or `/regex/` (PCRE2); when one of several is not there, nothing is "
        "done.\n"
        "Exit statuses: [exit-codes.md](exit-codes.md).\n\n"
        "Every command takes:\n\n| Option | |\n|---|---|\n");
    help_add_opts(&out, common_opts, add_markdown_row, NULL);
    for (const struct cmd *const *c = commands; *c; c++)
        add_markdown_command(&out, *c);
    return buf_steal(&out);
}

/* man/velos.1 ----------------------------------------------------------------------------------------- */

/* Text that roff takes as it is: backslashes, dashes that are options, dots and quotes at a line's start. */
static void add_roff(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n'))
            buf_adds(out, "\\&");
        if (*p == '\\')
            buf_adds(out, "\\e");
        else if (*p == '-')
            buf_adds(out, "\\-");
        else
            buf_addc(out, *p);
    }
    buf_addc(out, '\n');
}

static void add_roff_row(struct buf *out, const char *left, const char *about, const struct help_look *unused)
{
    buf_adds(out, ".TP\n.B ");
    add_roff(out, left);
    add_roff(out, about);
}

static void add_roff_command(struct buf *out, const struct cmd *cmd)
{
    buf_adds(out, ".SS ");
    add_roff(out, cmd->usage);
    add_roff(out, cmd->about);
    if (cmd->more) {
        buf_adds(out, ".PP\n");
        add_roff(out, cmd->more);
    }
    help_add_opts(out, cmd->opts, add_roff_row, NULL);
}

char *manual_roff(void)
{
    own_buf out = { 0 };
    buf_adds(&out,
             ".\\\" Written from the command rows by UPDATE_DOCS=1 meson test -C build; do not edit.\n"
             ".TH VELOS 1\n.SH NAME\nvelos \\- starts programs and keeps them running\n"
             ".SH SYNOPSIS\n.B velos\n.I command\n[options] [args]\n"
             ".SH DESCRIPTION\nOptions may stand anywhere, also in front of the command; \\-\\- ends them. "
             "Data goes to stdout, everything else to\n"
             "stderr. An app is selected by its name, an id, all, namespace/name, namespace/*, or /regex/ "
             "(PCRE2); when "
             "one of several is not there, nothing is done.\n"
             ".SH OPTIONS\n");
    help_add_opts(&out, common_opts, add_roff_row, NULL);
    buf_adds(&out, ".SH COMMANDS\n");
    for (const struct cmd *const *c = commands; *c; c++)
        add_roff_command(&out, *c);
    buf_adds(&out, ".SH SETTINGS\nOptions of start, and, with underscores, the keys of velos.toml.\n");
    help_add_settings(&out, add_roff_row, NULL);
    buf_adds(&out,
             ".SH EXIT STATUS\n0 done, 1 failed, 2 usage or setting wrong, 3 no such app, 4 no daemon, 5 "
             "timed out.\n"
             ".SH ENVIRONMENT\n.TP\n.B VELOS_HOME\nWhere the daemon lives; ~/.velos when it is not set.\n"
             ".TP\n.B NO_COLOR\nNo colours.\n");
    return buf_steal(&out);
}
