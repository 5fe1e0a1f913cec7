/* What is wrong in a velos.toml, as compilers say it: file:line:col: text. */
#include <unistd.h>

#include "cli/cli.h"

void cli_add_problem(struct buf *out, const struct conf_problem *p)
{
    if (p->file)
        buf_addf(out, "%s:", p->file);
    if (p->line)
        buf_addf(out, "%d:%d:", p->line, p->col);
    if (out->len)
        buf_addc(out, ' ');
    buf_adds(out, p->text);
}

static void print_line(const struct conf_problem *p)
{
    own_buf text = { 0 }, line = { 0 };
    cli_add_problem(&text, p);
    buf_add_shown(&line, text.data);
    if (p->hint) {
        buf_adds(&line, "\nhint: ");
        buf_add_shown(&line, p->hint);
    }
    buf_addc(&line, '\n');
    if (write(STDERR_FILENO, line.data, line.len) < 0)
        return;
}

/* One error object stands for all: the first, and how many there are besides. */
static void print_json(const struct cli *c, const struct conf_problems *problems)
{
    const struct conf_problem *first = &problems->items[0];
    own_buf text = { 0 };
    struct err e;
    cli_add_problem(&text, first);
    if (problems->len > 1)
        buf_addf(&text, " (and %zu more)", problems->len - 1);
    err_set(&e, ERR_CONFIG, "%s: %s", c->cmd->name, text.data);
    if (first->hint)
        err_hint(&e, "%s", first->hint);
    out_error(&e, true);
}

int cli_problems(struct cli *c, const struct conf_problems *problems)
{
    if (c->json && problems->len)
        print_json(c, problems);
    for (size_t i = 0; i < problems->len && !c->json; i++)
        print_line(&problems->items[i]);
    return err_exit_status(ERR_CONFIG);
}
