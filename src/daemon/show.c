#include "daemon/show.h"

#include <string.h>

#include "app/census.h"
#include "app/timetable.h"
#include "app/watching.h"
#include "base/file.h"
#include "base/time.h"
#include "conf/keys.h"
#include "os/signame.h"

void show_exit(struct json_out *j, const struct exit_status *x)
{
    char name[OS_SIGNAME];
    if (x && !x->signal)
        json_int(j, "exit_code", x->code);
    else
        json_null_at(j, "exit_code");
    json_str(j, "exit_signal", x && x->signal ? os_signame(x->signal, name) : NULL);
}

static void int_or_null(struct json_out *j, const char *key, int64_t value)
{
    if (value > 0)
        json_int(j, key, value);
    else
        json_null_at(j, key);
}

/* A path is one already. A name is that of a program on PATH, looked for at each start; or, where the kind of
 * file told what runs it, of a file in cwd. Given to an interpreter it may have been either: it stays a name.
 */
static void show_script(struct json_out *j, const struct instance *in)
{
    const struct app_spec *s = in->app->spec;
    bool direct = in->interpreter && strcmp(in->interpreter, "none") == 0;
    bool in_cwd = strchr(s->script, '/') || (in->exec && !s->interpreter);
    own_text path = NULL;
    if (s->script[0] == '/')
        json_str(j, "script", s->script);
    else if (in->exec && direct)
        json_str(j, "script", in->exec);
    else if (in_cwd)
        json_str(j, "script", path = path_absolute(s->cwd, s->script));
    else
        json_str(j, "script", s->script);
}

static const char *reason_of(const struct instance *in)
{
    if (in->life == LIFE_STARTING && !in->pid && in->app->world->logs_stuck)
        return "waits for its log file: a disk hangs (velosd.log says which)";
    return in->reason;
}

static void row_members(struct json_out *j, const struct instance *in)
{
    const struct app_spec *s = in->app->spec;
    int64_t uptime = instance_uptime(in);
    json_int(j, "id", in->id);
    json_str(j, "name", s->name);
    json_str(j, "namespace", s->ns);
    json_int(j, "instance", in->index);
    int_or_null(j, "pid", in->pid);
    json_str(j, "status", life_name(in->life));
    if (in->usage.percent >= 0)
        json_num(j, "cpu_percent", in->usage.percent);
    else
        json_null_at(j, "cpu_percent");
    int_or_null(j, "memory_bytes", (int64_t)in->usage.memory);
    if (uptime >= 0)
        json_int(j, "uptime_ms", uptime);
    else
        json_null_at(j, "uptime_ms");
    json_int(j, "restarts", in->restarts);
    json_int(j, "unstable_restarts", policy_unstable_now(s, &in->memory, uptime));
    show_exit(j, in->has_exited && in->last_exit.known ? &in->last_exit : NULL);
    json_str(j, "reason", reason_of(in));
    json_flag(j, "watching", s->watch);
    json_str(j, "interpreter", in->interpreter ? in->interpreter : s->interpreter);
    show_script(j, in);
    json_str(j, "cwd", s->cwd);
    json_time(j, "created_at", in->app->created);
}

void show_list_row(struct json_out *j, struct instance *in)
{
    json_open(j, NULL, '{');
    row_members(j, in);
    if (in->life == LIFE_ERRORED) { /* its last words are shown below the table */
        own_text error_file = instance_log_path(in, OUTLET_ERR);
        json_str(j, "error_file", error_file);
    }
    json_close(j, '}');
}

static void show_lives(struct json_out *j, const struct instance *in)
{
    const struct past_life *p;
    json_open(j, "lives", '[');
    for (size_t i = 0; (p = instance_life_ended(in, i)); i++) {
        json_open(j, NULL, '{');
        json_time(j, "started_at", p->started);
        json_time(j, "ended_at", p->ended);
        json_int(j, "uptime_ms", p->uptime);
        json_str(j, "cause", cause_name(p->cause));
        show_exit(j, p->exit.known ? &p->exit : NULL);
        json_flag(j, "core_dumped", p->exit.core);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void show_log(struct json_out *j, const struct instance *in)
{
    int error = 0;
    for (int i = 0; i < OUTLET_N; i++)
        if (in->outlets[i] && in->outlets[i]->error)
            error = in->outlets[i]->error;
    json_open(j, "log", '{');
    json_int(j, "dropped_bytes", in->dropped[OUTLET_OUT] + in->dropped[OUTLET_ERR]);
    json_str(j, "error", error ? outlet_trouble(error) : NULL);
    json_close(j, '}');
}

/* What belongs to it right now. */
static void show_tree(struct json_out *j, struct instance *in)
{
    struct census c;
    json_open(j, "app_pid_tree", '[');
    if (in->pid) {
        census_take(&c, in->app->world, &in, 1);
        for (const struct proc_info *p = c.all; p < c.all + c.n; p++) {
            char name[20];
            if (census_is_dead(p) || census_owner(&c, p) != in->id)
                continue;
            procstat_name(p->pid, name);
            json_open(j, NULL, '{');
            json_int(j, "pid", p->pid);
            json_int(j, "ppid", p->ppid);
            json_str(j, "name", name);
            json_int(j, "memory_bytes", (int64_t)p->rss);
            json_close(j, '}');
        }
        census_done(&c);
    }
    json_close(j, ']');
}

void show_cron(struct json_out *j, const struct app *a)
{
    int64_t next[TIMETABLE_SHOWN];
    size_t n = timetable_next(a, next);
    json_open(j, "cron_next", '[');
    for (size_t i = 0; i < n; i++)
        json_time(j, NULL, next[i]);
    json_close(j, ']');
}

void show_info(struct json_out *j, struct instance *in)
{
    const struct app_spec *s = in->app->spec;
    json_open(j, NULL, '{');
    row_members(j, in);
    json_int(j, "processes", in->usage.processes);
    int_or_null(j, "main_memory_bytes", (int64_t)in->usage.main_memory);
    json_strv(j, "args", s->args);
    json_str(j, "exec", in->exec);
    show_tree(j, in);
    json_str(j, "status_text", in->status_text);
    json_time(j, "started_at", in->started_wall);
    bool due = in->life == LIFE_WAITING && in->deadline;
    json_time(j, "next_start_at", due ? time_wall_ms() + in->deadline - time_mono_ms() : 0);
    show_cron(j, in->app);
    watching_write_short(in->app, j, "watch");
    own_text out = instance_log_path(in, OUTLET_OUT);
    own_text err = instance_log_path(in, OUTLET_ERR);
    json_str(j, "out_file", out);
    json_str(j, "error_file", err);
    json_open(j, "counters", '{');
    for (enum cause c = CAUSE_MANUAL; c < CAUSE_N; c++)
        json_int(j, cause_name(c), in->counters[c]);
    json_close(j, '}');
    show_lives(j, in);
    show_log(j, in);
    keys_write_json(s, j, "settings");
    json_close(j, '}');
}

void show_outcome(struct json_out *j, const struct app *a, bool unchanged)
{
    json_open(j, NULL, '{');
    json_str(j, "name", a->spec->name);
    json_str(j, "namespace", a->spec->ns);
    json_open(j, "ids", '[');
    for (size_t i = 0; i < a->n; i++)
        json_int(j, NULL, a->instances[i]->id);
    json_close(j, ']');
    json_open(j, "pids", '[');
    for (size_t i = 0; i < a->n; i++)
        if (a->instances[i]->pid)
            json_int(j, NULL, a->instances[i]->pid);
    json_close(j, ']');
    json_str(j, "status", life_name(app_life(a)));
    if (unchanged)
        json_flag(j, "unchanged", true);
    json_close(j, '}');
}
