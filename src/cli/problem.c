/* What is wrong in a velos.toml, as compilers say it: file:line:col: text. */
#include <unistd.h>

#include "cli/cli.h"

static void add_place(struct buf *out, const struct conf_problem *p)
{
    if (p->file)
        buf_addf(out, "%s:", p->file);
    if (p->line)
        buf_addf(out, "%d:%d:", p->line, p->col);
    if (out->len)
        buf_addc(out, ' ');
}

static void print_line(const struct conf_problem *p)
{
    own_buf line = { 0 };
    add_place(&line, p);
    buf_addf(&line, "%s\n", p->text);
    if (p->hint)
        buf_addf(&line, "hint: %s\n", p->hint);
    if (write(STDERR_FILENO, line.data, line.len) < 0)
        return;
}

int cli_problems(struct cli *c, const struct conf_problems *problems)
{
    for (size_t i = 0; i < problems->len && !c->json; i++)
        print_line(&problems->items[i]);
    if (c->json && problems->len) {
        const struct conf_problem *first = &problems->items[0];
        own_buf place = { 0 };
        struct err e;
        add_place(&place, first);
        err_set(&e, ERR_CONFIG, "%s%s", place.data ? place.data : "", first->text);
        if (first->hint)
            err_hint(&e, "%s", first->hint);
        err_in(&e, "%s", c->cmd->name);
        out_error(&e, true);
    }
    return err_exit_status(ERR_CONFIG);
}
