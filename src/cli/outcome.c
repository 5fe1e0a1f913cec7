/* What start, stop, restart and delete answer: one line an app, errors on stderr. */
#include <string.h>

#include "cli/cli.h"

static void add_pids(struct buf *out, const json_t *pids)
{
    size_t n = json_array_size(pids);
    if (n == 1)
        buf_addf(out, ", pid %lld", (long long)json_integer_value(json_array_get(pids, 0)));
    else if (n > 1)
        buf_addf(out, ", %zu instances", n);
}

static void add_line(struct buf *out, const json_t *outcome)
{
    buf_addf(out, "%s: %s", json_get_str(outcome, "name", "?"), json_get_str(outcome, "status", "done"));
    if (json_get_flag(outcome, "unchanged", false))
        buf_adds(out, " already, left alone");
    add_pids(out, json_object_get(outcome, "pids"));
    buf_addc(out, '\n');
}

int cli_outcomes(struct cli *c, const json_t *apps, struct err *e)
{
    own_buf lines = { 0 };
    size_t i;
    json_t *outcome;
    int status = 0;
    json_array_foreach(apps, i, outcome) if (!json_object_get(outcome, "error")) add_line(&lines, outcome);
    if ((c->json ? out_json(apps, e) : out_write(&lines, e)) < 0)
        return -1;

    json_array_foreach(apps, i, outcome)
    {
        const json_t *error = json_object_get(outcome, "error");
        if (!error)
            continue;
        proto_read_error(error, e);
        if (status == 0)
            status = err_exit_status(e->code);
        else if (c->json)
            continue; /* one object on stderr; the others are in the array */
        err_in(e, "%s", c->cmd->name);
        out_error(e, c->json);
    }
    return status;
}
