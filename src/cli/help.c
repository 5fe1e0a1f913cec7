#include "cli/help.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "config.h"

/* Wider lines are hard to read; on a narrow terminal texts stand below what they are about. */
enum { WIDEST = 108, NARROWEST = 40, NARROW = 72, COLUMN = 28, COMMANDS_COLUMN = 15, BELOW = 6 };

static struct help_look look_of(int fd, size_t column)
{
    size_t width = MIN((size_t)MAX(out_terminal(fd).width, (int)NARROWEST), (size_t)WIDEST);
    return (struct help_look){ .column = width < NARROW && column == COLUMN ? BELOW : column,
                               .width = width };
}

static void add_row(struct buf *out, const char *left, const char *about, const struct help_look *look)
{
    size_t n = strlen(left) + 2;
    buf_addf(out, "  %s", left);
    if (n + 2 > look->column)
        buf_addf(out, "\n%*s", (int)look->column, "");
    else
        buf_addf(out, "%*s", (int)(look->column - n), "");
    out_wrap(out, about, look->column, look->column, look->width);
    buf_addc(out, '\n');
}

/* A text of the rows, broken anew: its own lines were broken for the source. What begins with a dash stays a
 * line of its own. */
static void add_paragraph(struct buf *out, const char *text, const struct help_look *look)
{
    own_text joined = xstrdup(text);
    for (char *c = joined; (c = strchr(c, '\n')); c++)
        if (c[1] != '-')
            *c = ' ';
    for (const char *line = joined; *line;) {
        size_t n = strcspn(line, "\n");
        own_text one = xstrndup(line, n);
        out_wrap(out, one, 0, 0, look->width);
        buf_addc(out, '\n');
        line += n + (line[n] == '\n');
    }
}

static char *opt_left(const struct opt *o)
{
    own_buf left = { 0 };
    if (o->letter)
        buf_addf(&left, "-%c, ", o->letter);
    buf_addf(&left, "--%s", o->name);
    if (o->type != OPT_FLAG)
        buf_addf(&left, " %s", o->value ? o->value : "N");
    return buf_steal(&left);
}

static char *key_left(const struct key *k)
{
    own_text flag = args_key_flag(k);
    own_buf left = { 0 };
    if (args_key_letter(k))
        buf_addf(&left, "-%c, ", args_key_letter(k));
    const char *value = k->type == KEY_BOOL ? "" : args_key_is_switch(k) ? "[=VALUE]" : " VALUE";
    bool is_on = args_key_is_switch(k) && k->def && strcmp(k->def, "true") == 0;
    buf_addf(&left, "--%s%s%s", is_on ? "[no-]" : "", flag, value);
    return buf_steal(&left);
}

static char *key_about(const struct key *k)
{
    own_buf about = { 0 };
    buf_adds(&about, k->about);
    if (k->shape && strcmp(k->shape, "bool") != 0)
        buf_addf(&about, " (%s)", k->shape);
    if (k->def)
        buf_addf(&about, " [%s]", k->def);
    return buf_steal(&about);
}

void help_add_opts(struct buf *out, const struct opt *opts, help_row *add, const struct help_look *look)
{
    for (const struct opt *o = opts; o && o->name; o++) {
        own_text left = opt_left(o);
        add(out, left, o->about, look);
    }
}

void help_add_settings(struct buf *out, help_row *add, const struct help_look *look)
{
    for (const struct key *k = keys; k < keys + keys_len; k++) {
        if (k->flags & KEY_FILE_ONLY)
            continue;
        own_text left = key_left(k);
        own_text about = key_about(k);
        add(out, left, about, look);
    }
}

int help_all(int fd, struct err *e)
{
    own_buf out = { 0 };
    const struct help_look look = look_of(fd, COMMANDS_COLUMN);
    buf_adds(&out, "velos " VELOS_VERSION ": starts programs and keeps them running\n\n"
                   "usage: velos <command> [options] [args]\n\n");
    for (const struct cmd *const *c = commands; *c; c++)
        add_row(&out, (*c)->name, (*c)->about, &look);
    buf_addc(&out, '\n');
    add_paragraph(&out, "An <app> is a name, an id, all, namespace/name, namespace/*, or /regex/.", &look);
    add_paragraph(&out, "velos help <command> tells more about one.", &look);
    return file_write_all(fd, out.data, out.len, e);
}

int help_command(const struct cmd *cmd, struct err *e)
{
    own_buf out = { 0 };
    const struct help_look look = look_of(STDOUT_FILENO, COLUMN);
    buf_addf(&out, "usage: velos %s\n\n", cmd->usage);
    add_paragraph(&out, cmd->about, &look);
    if (cmd->aliases) {
        buf_adds(&out, "Also called:");
        for (const char *const *a = cmd->aliases; *a; a++)
            buf_addf(&out, " %s", *a);
        buf_addc(&out, '\n');
    }
    if (cmd->more) {
        buf_addc(&out, '\n');
        add_paragraph(&out, cmd->more, &look);
    }
    buf_adds(&out, "\nOptions:\n");
    help_add_opts(&out, cmd->opts, add_row, &look);
    help_add_opts(&out, common_opts, add_row, &look);
    if (cmd->args.settings) {
        buf_addc(&out, '\n');
        add_paragraph(
            &out, "Settings of the app, as in velos.toml (--no-... for those that are on or off):", &look);
        help_add_settings(&out, add_row, &look);
    }
    return out_write(&out, e);
}
