#include "cli/help.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "config.h"

enum { COLUMN = 28, WIDTH = 108 };

static void add_row(struct buf *out, const char *left, const char *about)
{
    size_t n = strlen(left) + 2;
    buf_addf(out, "  %s", left);
    if (n + 2 > COLUMN)
        buf_addf(out, "\n%*s", COLUMN, "");
    else
        buf_addf(out, "%*s", (int)(COLUMN - n), "");
    out_wrap(out, about, COLUMN, COLUMN, WIDTH);
    buf_addc(out, '\n');
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
    buf_addf(&left, "--%s%s", flag, value);
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

void help_add_opts(struct buf *out, const struct opt *opts, help_row *add)
{
    for (const struct opt *o = opts; o && o->name; o++) {
        own_text left = opt_left(o);
        add(out, left, o->about);
    }
}

void help_add_settings(struct buf *out, help_row *add)
{
    for (const struct key *k = keys; k < keys + keys_len; k++) {
        if (k->flags & KEY_FILE_ONLY)
            continue;
        own_text left = key_left(k);
        own_text about = key_about(k);
        add(out, left, about);
    }
}

int help_all(int fd, struct err *e)
{
    own_buf out = { 0 };
    buf_adds(&out, "velos " VELOS_VERSION ": starts programs and keeps them running\n\n"
                   "usage: velos <command> [options] [args]\n\n");
    for (const struct cmd *const *c = commands; *c; c++)
        add_row(&out, (*c)->name, (*c)->about);
    buf_adds(&out, "\nAn <app> is a name, an id, all, namespace/name, namespace/*, or /regex/.\n"
                   "velos help <command> tells more about one.\n");
    return file_write_all(fd, out.data, out.len, e);
}

int help_command(const struct cmd *cmd, struct err *e)
{
    own_buf out = { 0 };
    buf_addf(&out, "usage: velos %s\n\n%s\n", cmd->usage, cmd->about);
    if (cmd->aliases) {
        buf_adds(&out, "Also called:");
        for (const char *const *a = cmd->aliases; *a; a++)
            buf_addf(&out, " %s", *a);
        buf_addc(&out, '\n');
    }
    if (cmd->more)
        buf_addf(&out, "\n%s\n", cmd->more);
    buf_adds(&out, "\nOptions:\n");
    help_add_opts(&out, cmd->opts, add_row);
    help_add_opts(&out, common_opts, add_row);
    if (cmd->args.settings) {
        buf_adds(&out, "\nSettings of the app, as in velos.toml (--no-... for those that are on or off):\n");
        help_add_settings(&out, add_row);
    }
    return out_write(&out, e);
}
