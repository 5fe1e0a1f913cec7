/* What commands on apps answer: one line an app, errors on stderr. */
#include <string.h>

#include "cli/cli.h"

static void add_pids(struct buf *out, const json_t *outcome)
{
    const json_t *pids = json_object_get(outcome, "pids");
    size_t n = json_array_size(json_object_get(outcome, "ids"));
    if (n > 1)
        buf_addf(out, ", %zu instances", n);
    else if (json_array_size(pids) == 1)
        buf_addf(out, ", pid %lld", (long long)json_integer_value(json_array_get(pids, 0)));
}

static void add_line(struct buf *out, const json_t *outcome, const char *said)
{
    const char *name = json_get_str(outcome, "name", "?");
    if (said) {
        buf_addf(out, "%s: %s\n", name, said);
        return;
    }
    buf_addf(out, "%s: %s", name, json_get_str(outcome, "status", "done"));
    if (json_get_flag(outcome, "unchanged", false))
        buf_adds(out, " already, left alone");
    add_pids(out, outcome);
    buf_addc(out, '\n');
}

int cli_outcome_errors(struct cli *c, const json_t *apps, struct err *e)
{
    int status = 0;
    size_t i;
    json_t *outcome;
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

int cli_outcomes(struct cli *c, const json_t *apps, const char *said, struct err *e)
{
    own_buf lines = { 0 };
    size_t i;
    json_t *outcome;
    json_array_foreach(apps, i, outcome)
    {
        if (!json_object_get(outcome, "error"))
            add_line(&lines, outcome, said);
    }
    if ((c->json ? out_json(apps, e) : out_write(&lines, e)) < 0)
        return -1;
    return cli_outcome_errors(c, apps, e);
}

int cli_not_done(const struct cli *c, struct err *e)
{
    bool several = c->args.n_words > MAX(c->cmd->args.min, (size_t)1);
    return several && e->code == ERR_NOT_FOUND ? err_in(e, "nothing was done") : -1;
}

int cli_act(struct cli *c, const char *method, const char *params, const char *said, struct err *e)
{
    own_json result = NULL;
    if (cli_ask(c, method, params, &result, e) < 0)
        return cli_not_done(c, e);
    return cli_outcomes(c, json_object_get(result, "apps"), said, e);
}
