/* logs: the apps' log files, read and followed where they lie: those of all apps and instances as one, in the
 * order of time, over archives and rotations. The daemon is asked for their paths; without one they are found
 * in the home. A follower hears of new apps from the daemon, reads nothing through it, and outlives it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/pattern.h"
#include "base/time.h"
#include "cli/follow.h"
#include "cli/news.h"
#include "cli/sources.h"
#include "cli/status.h"
#include "cli/when.h"
#include "logs/merge.h"
#include "os/fds.h"
#include "proto/home.h"
#include "proto/scan.h"

enum {
    LINES = 15,
    FLUSH = 64 << 10,
    TURN = 256 << 10, /* of one file, then it is the others' turn: somebody may write faster than we read */
    LINE_TURN = 16 << 20, /* ... unless they would come into the middle of a line of his */
    INTERRUPTED = 130,
};

struct logs {
    struct cli *c;
    struct sources sources;
    struct tail **tails;   /* one a source, once what was there is shown */
    struct follow *follow; /* or NULL */
    struct news news;      /* while following */
    struct pattern *grep, *highlight;
    int64_t since, until;
    bool raw, color, times;
    int width;      /* of the widest label */
    size_t unread;  /* logs that could not be opened */
    bool gave_up;   /* --grep did, on a line */
    struct buf out; /* gathered, written in one go */
    size_t open;    /* whose line has no end there yet: place in sources, from 1; 0: nobody's */
    struct err *e;
    bool failed;
};

static void logs_done(struct logs *l)
{
    for (size_t i = 0; l->tails && i < l->sources.n; i++)
        tail_free(l->tails[i]);
    free(l->tails);
    sources_done(&l->sources);
    pattern_free(l->grep);
    pattern_free(l->highlight);
    follow_free(l->follow);
    news_done(&l->news);
    buf_done(&l->out);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Lines ------------------------------------------------------------------------------------------------ */

/* What a log of type json holds: ours, so read where it lies. */
struct entry {
    char *message; /* NULL: it is a plain line */
    size_t n;
    char *time, *app;
    int64_t id; /* -1: none */
    bool err, partial;
};

static struct entry read_entry(const char *line, size_t n)
{
    static const char head[] = "{\"time\":\"";
    static const char *const names[] = { "time", "stream", "app", "message", "partial", "id" };
    struct piece v[ARRAY_LEN(names)];
    if (n < sizeof(head) || memcmp(line, head, sizeof(head) - 1) != 0 || line[n - 1] != '}')
        return (struct entry){ 0 };
    scan_members((struct piece){ line, n }, names, ARRAY_LEN(names), v);
    struct entry found = { .err = piece_is(v[1], "\"err\"") };
    if (!v[2].at || !(found.err || piece_is(v[1], "\"out\"")))
        return found; /* an app's own */
    found.message = piece_bytes(v[3], &found.n);
    found.time = piece_text(v[0]);
    found.app = piece_text(v[2]);
    found.partial = piece_is(v[4], "true");
    if (!piece_int(v[5], &found.id))
        found.id = -1;
    return found;
}

static void entry_done(struct entry *entry)
{
    free(entry->message);
    free(entry->time);
    free(entry->app);
}

/* Always the same for the same name. */
static const char *label_color(const char *name)
{
    static const char *const palette[] = { "cyan", "green", "magenta", "blue", "yellow" };
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return color_code(palette[h % ARRAY_LEN(palette)]);
}

static void add_time(struct logs *l, int64_t time)
{
    time_t s = (time_t)(time / 1000000);
    struct tm tm;
    char text[32];
    localtime_r(&s, &tm);
    strftime(text, sizeof(text), "%m-%d %H:%M:%S", &tm);
    buf_addf(&l->out, "%s.%03d ", text, (int)(time / 1000 % 1000));
}

/* The bar is red before what was said on standard error. */
static void add_prefix(struct logs *l, const struct source *s, const struct entry *entry, bool err,
                       int64_t time)
{
    bool told = s->apps[1] && entry->app; /* a shared file's line tells whose it is */
    own_text name = told ? xstrdup(entry->app) : source_label(s);
    if (l->times)
        add_time(l, time);
    if (l->color)
        buf_addf(&l->out, "%s%-*s%s |%s ", label_color(told ? entry->app : s->apps[0]), l->width, name,
                 err ? color_code("red") : "", color_code("reset"));
    else
        buf_addf(&l->out, "%-*s | ", l->width, name);
}

static void add_writer(struct json_out *j, const struct source *s)
{
    json_str(j, "app", s->apps[0]);
    if (s->id >= 0)
        json_int(j, "id", s->id);
    json_int(j, "instance", s->instance);
}

/* Only a log of type json tells which of them it was. */
static void add_writers(struct json_out *j, const struct source *s, const struct entry *entry)
{
    own_buf names = { 0 };
    for (char *const *name = s->apps; *name; name++)
        buf_addf(&names, "%s%s", names.len ? "," : "", *name);
    json_str(j, "app", entry->app ? entry->app : names.data);
    if (entry->app && entry->id >= 0)
        json_int(j, "id", entry->id);
}

static void add_json(struct logs *l, const struct source *s, const struct entry *entry, int64_t time,
                     const char *line, size_t n, bool partial)
{
    char text[TIME_TEXT];
    struct json_out j = JSON_OUT(&l->out);
    json_open(&j, NULL, '{');
    json_str(&j, "time", entry->time ? entry->time : time_rfc3339(time / 1000, text));
    if (s->shared)
        add_writers(&j, s, entry);
    else
        add_writer(&j, s);
    json_str(&j, "stream", entry->message && entry->err ? "err" : s->stream);
    json_strn(&j, "message", line, n);
    if (partial)
        json_flag(&j, "partial", true);
    json_close(&j, '}');
}

/* What was looked for stands out. */
static void add_painted(struct logs *l, struct pattern *p, const char *line, size_t n)
{
    size_t at = 0, start, end;
    while (at < n && pattern_find(p, line, n, at, &start, &end)) {
        if (end == start) { /* matches nothing, anywhere */
            if (start >= n)
                break;
            buf_add(&l->out, line + at, start + 1 - at);
            at = start + 1;
            continue;
        }
        buf_add(&l->out, line + at, start - at);
        buf_adds(&l->out, "\x1b[1;30;43m");
        buf_add(&l->out, line + start, end - start);
        buf_adds(&l->out, color_code("reset"));
        at = end;
    }
    buf_add(&l->out, line + at, n - at);
}

static void flush(struct logs *l)
{
    if (!l->failed)
        l->failed = out_write(&l->out, l->e) < 0;
    buf_clear(&l->out);
}

static void end_line(struct logs *l)
{
    if (l->open)
        buf_addc(&l->out, '\n');
    l->open = 0;
}

/* A line, or the next piece of one; another's comes into its middle only when we follow. */
static void show_line(struct logs *l, size_t which, int64_t time, const struct tail_at *at)
{
    const struct source *s = &l->sources.all[which];
    struct pattern *paint = l->highlight ? l->highlight : l->grep;
    const char *line = at->line;
    size_t n = at->n;
    struct entry entry = { 0 };
    bool continues = at->continues && l->open == which + 1;
    if (!continues)
        end_line(l);
    if (!l->raw && !at->continues && !at->goes_on)
        entry = read_entry(line, n);
    if (entry.message) {
        line = entry.message;
        n = entry.n;
    }
    if (l->c->json) {
        add_json(l, s, &entry, time, line, n, at->goes_on || entry.partial);
        buf_addc(&l->out, '\n');
    } else {
        if (!l->raw && !continues)
            add_prefix(l, s, &entry, entry.message ? entry.err : strcmp(s->stream, "err") == 0, time);
        if (paint && l->color && !l->raw)
            add_painted(l, paint, line, n);
        else
            buf_add(&l->out, line, n);
        l->open = which + 1;
        if (!at->goes_on)
            end_line(l);
    }
    entry_done(&entry);
    if (l->out.len > FLUSH)
        flush(l);
}

static bool is_all_wanted(const struct logs *l)
{
    return !l->grep && l->sources.out && l->sources.err;
}

/* What it would have found is missing: one word about the first. */
static void note_gave_up(struct logs *l, size_t which, const char *why)
{
    if (!l->gave_up)
        out_note("--grep: `%.60s` gave up on a line of %s (%s); such lines are left out: make it simpler",
                 args_text(&l->c->args, "grep", ""), l->sources.all[which].path, why);
    l->gave_up = true;
}

static bool is_wanted(struct logs *l, size_t which, const char *line, size_t n)
{
    if (is_all_wanted(l))
        return true;
    struct entry entry = read_entry(line, n);
    if (entry.message && !l->raw) { /* what is shown is what is looked at */
        line = entry.message;
        n = entry.n;
    }
    bool other = entry.message && !(entry.err ? l->sources.err : l->sources.out);
    bool wanted = !other && (!l->grep || pattern_matches(l->grep, line, n));
    const char *why = l->grep && !other && !wanted ? pattern_gave_up(l->grep) : NULL;
    if (why)
        note_gave_up(l, which, why);
    entry_done(&entry);
    return wanted;
}

struct looked { /* a filter's argument */
    struct logs *l;
    size_t which;
};

static bool filter_wants(void *arg, const char *line, size_t n)
{
    const struct looked *at = arg;
    return is_wanted(at->l, at->which, line, n);
}

/* What is there ----------------------------------------------------------------------------------------- */

static bool on_line(void *arg, size_t which, int64_t time, const struct tail_at *at)
{
    struct logs *l = arg;
    show_line(l, which, time, at);
    return !l->failed;
}

/* One word about the first: where there are no descriptors left they are many. */
static void on_unread(void *arg, size_t which, int error)
{
    struct logs *l = arg;
    if (l->unread++ == 0)
        out_note("%s: %s; its lines are missing here%s", l->sources.all[which].path, strerror(error),
                 error == EMFILE ? " (ulimit -n)" : "");
}

/* One line, whatever their number. */
static void note_devices(struct logs *l)
{
    own_text more = l->sources.devices > 1 ? xasprintf(" (nor can %zu more)", l->sources.devices - 1) : NULL;
    if (l->sources.devices)
        out_note("%s: a device: what was written to it cannot be read back%s", l->sources.device,
                 more ? more : "");
}

static void settle_labels(struct logs *l)
{
    for (size_t i = 0; i < l->sources.n; i++) {
        own_text name = source_label(&l->sources.all[i]);
        l->width = MAX(l->width, (int)strlen(name));
    }
}

/* The last lines of all; with a time to begin at, everything from there. */
static size_t lines_wanted(const struct logs *l)
{
    bool all = args_has(&l->c->args, "since") && !args_has(&l->c->args, "lines");
    return all ? SIZE_MAX : (size_t)args_count(&l->c->args, "lines", LINES);
}

static void show_last(struct logs *l)
{
    const char **paths = xcalloc(l->sources.n + 1, sizeof(*paths));
    const struct rights **rights = xcalloc(l->sources.n + 1, sizeof(*rights));
    struct segment_filter *filters = xcalloc(l->sources.n + 1, sizeof(*filters));
    struct looked *looked = xcalloc(l->sources.n + 1, sizeof(*looked));
    for (size_t i = 0; i < l->sources.n; i++) {
        paths[i] = l->sources.all[i].path;
        rights[i] = l->sources.all[i].rights;
        looked[i] = (struct looked){ l, i };
        filters[i] = (struct segment_filter){ is_all_wanted(l) ? NULL : filter_wants, &looked[i] };
    }
    struct merge m = {
        .paths = paths,
        .rights = rights,
        .n = l->sources.n,
        .follow = l->follow,
        .lines = lines_wanted(l),
        .now = now_us(),
        .since = l->since,
        .until = l->until,
        .filters = filters,
        .line = on_line,
        .unread = on_unread,
        .arg = l,
    };
    l->tails = merge_run(&m);
    if (l->unread > 1)
        out_note("%zu log files could not be read", l->unread);
    free(paths);
    free(rights);
    free(filters);
    free(looked);
}

/* The exit status: not what a script takes for all of it, if it is not. */
static int status_of(const struct logs *l)
{
    return l->unread || l->gave_up ? err_exit_status(ERR_FAILED) : 0;
}

static bool is_rest_wanted(struct logs *l, size_t i, const struct tail_at *at)
{
    if (at->continues)
        return true;
    return is_wanted(l, i, at->line, at->n) && l->until == INT64_MAX &&
           (l->follow || tail_time(l->tails[i], at->offset) >= l->since);
}

/* Lines whose end never came. As they are they get none here either, unless another follows. */
static void last_words(struct logs *l)
{
    struct tail_at at;
    for (size_t i = 0; i < l->sources.n; i++) {
        if (!tail_rest(l->tails[i], &at) || !is_rest_wanted(l, i, &at))
            continue;
        at.goes_on = l->raw && !l->c->json;
        show_line(l, i, now_us(), &at);
    }
    if (!l->raw)
        end_line(l);
    flush(l);
}

/* Following -------------------------------------------------------------------------------------------- */

static bool on_changed(void *arg, size_t i)
{
    struct logs *l = arg;
    struct tail_at at;
    for (size_t n = 0; n < (l->open == i + 1 ? LINE_TURN : TURN); n += at.n + 1) {
        if (l->failed || !tail_next(l->tails[i], &at)) {
            int error = tail_error(l->tails[i]);
            if (error)
                on_unread(l, i, error);
            return false;
        }
        if (at.continues || is_wanted(l, i, at.line, at.n))
            show_line(l, i, now_us(), &at);
        else
            tail_skip_line(l->tails[i]);
    }
    return true;
}

/* Log files of apps that were not there when we began. Their watch comes before they are read. */
static void look_for_more(struct logs *l)
{
    struct err ignored; /* no daemon, or no app of ours: then it is none of our files either */
    size_t before = l->sources.n;
    if (!news_take(&l->news))
        return;
    int r = sources_ask(l->c, &l->sources, &ignored);
    cli_disconnect(l->c); /* the next may be another daemon */
    if (r < 0)
        return;
    settle_labels(l);
    l->tails = xrealloc(l->tails, (l->sources.n + 1) * sizeof(struct tail *));
    for (size_t i = before; i < l->sources.n; i++) {
        l->tails[i] = tail_new(l->sources.all[i].path, l->sources.all[i].rights);
        follow_add(l->follow, l->sources.all[i].path, l->sources.all[i].rights);
    }
}

/* A daemon's socket, or the home in which it may be by now; or a log file, though we knew of no daemon. */
static void on_appeared(void *arg, const char *path)
{
    struct logs *l = arg;
    const char *name = path_base(path);
    bool socket = strcmp(name, PROTO_SOCKET) == 0;
    if (!socket && strcmp(path, l->c->home) != 0 && (!text_ends(name, ".log") || name[0] == '.'))
        return;
    news_connect(&l->news, socket);
    look_for_more(l);
}

static void on_news(void *arg)
{
    struct logs *l = arg;
    news_read(&l->news);
    look_for_more(l);
}

static int follow(struct logs *l)
{
    struct follow_hooks hooks = { on_changed, on_appeared, l, -1, on_news };
    follow_begin(l->follow);
    for (;;) {
        flush(l);
        if (l->failed)
            return -1;
        hooks.fd = news_fd(&l->news);
        enum follow_end end = follow_wait(l->follow, &hooks);
        if (end == FOLLOW_INTERRUPTED) {
            last_words(l);
            return INTERRUPTED;
        }
        if (end == FOLLOW_UNREAD)
            return status_of(l);
    }
}

/* Before it is asked which files there are: an app that comes in between is then told of, or the socket of
 * its daemon by its folder. */
static void watch_home(struct logs *l)
{
    own_text folder = path_join(l->c->home, "logs");
    l->follow = follow_new();
    struct err ignored; /* the question to the daemon comes next, and names it */
    if (access(l->c->home, F_OK) == 0 && home_check(l->c->home, &ignored) == 0)
        mkdir(folder, 0700); /* no app yet: its first file must be seen to come */
    follow_folder(l->follow, folder);
    follow_folder(l->follow, l->c->home);
    l->news.home = l->c->home;
    news_connect(&l->news, false);
    news_take(&l->news);
}

static int show(struct logs *l)
{
    os_fds_raise_limit(); /* each file is open while it is followed */
    for (size_t i = 0; l->follow && i < l->sources.n; i++)
        follow_add(l->follow, l->sources.all[i].path, l->sources.all[i].rights);
    show_last(l);
    if (l->follow && !l->failed)
        return follow(l);
    last_words(l);
    return l->failed ? -1 : status_of(l);
}

/* ----------------------------------------------------------------------------------------------------- */

static int read_time(const struct logs *l, const char *option, int64_t *out, struct err *e)
{
    const char *text = args_text(&l->c->args, option, NULL);
    if (text && when_parse(text, now_us(), out, e) < 0)
        return err_in(e, "--%s", option);
    return 0;
}

static int read_pattern(const struct logs *l, const char *option, struct pattern **out, struct err *e)
{
    const char *text = args_text(&l->c->args, option, NULL);
    if (text && pattern_new(text, out, e) < 0)
        return err_in(e, "--%s", option);
    return 0;
}

static int read_options(struct logs *l, struct err *e)
{
    const struct args *a = &l->c->args;
    l->raw = args_has(a, "raw");
    l->times = args_has(a, "time");
    l->color = out_color_wanted(l->c->color, STDOUT_FILENO);
    l->since = INT64_MIN;
    l->until = INT64_MAX;
    l->sources.out = args_has(a, "out") || !args_has(a, "err");
    l->sources.err = args_has(a, "err") || !args_has(a, "out");
    if (args_has(a, "until") && args_has(a, "follow"))
        return err_set(e, ERR_USAGE, "--until and --follow: what comes now is later");
    if (read_time(l, "since", &l->since, e) < 0 || read_time(l, "until", &l->until, e) < 0)
        return -1;
    return read_pattern(l, "grep", &l->grep, e) < 0 || read_pattern(l, "highlight", &l->highlight, e) < 0 ? -1
                                                                                                          : 0;
}

static bool follows(const struct args *a)
{
    bool by_default = isatty(STDOUT_FILENO) && !args_has(a, "no-follow") && !args_has(a, "until");
    return args_has(a, "follow") || by_default;
}

static int logs_run(struct cli *c, struct err *e)
{
    struct logs l = { .c = c, .e = e };
    int status = read_options(&l, e);
    if (status == 0 && follows(&c->args))
        watch_home(&l);
    if (status == 0)
        status = sources_find(c, &l.sources, e);
    if (l.follow)
        cli_disconnect(c); /* it is asked again when there is news */
    if (status == 0) {
        settle_labels(&l);
        note_devices(&l);
        if (l.sources.n == 0 && !l.sources.devices)
            out_note("no log files yet");
        status = show(&l);
    }
    logs_done(&l);
    return status;
}

const struct cmd cmd_logs = {
    .name = "logs",
    .usage = "logs [<app>...]",
    .about = "The last lines of the apps' output; on a terminal, and with -f, those to come.",
    .more = "All of it in the order of time, over rotated and compressed files. Reads the log files "
            "themselves, with or "
            "without a\ndaemon, and follows them over rotations, restarts and deaths of app and daemon. A "
            "time is 10m "
            "(ago), 14:30,\n2026-11-23 14:30, today or now; RE is a regular expression as of Perl (PCRE2).",
    .args = { .max = ARGS_ANY },
    .opts =
        (const struct opt[]){
            { 'n', "lines", OPT_COUNT, "So many last lines in all [15; with --since: all].", "N" },
            { 'f', "follow", OPT_FLAG, "Go on with what is written." },
            { 0, "no-follow", OPT_FLAG, "End after the last lines, on a terminal too." },
            { 0, "since", OPT_TEXT, "Nothing older.", "TIME" },
            { 0, "until", OPT_TEXT, "Nothing younger.", "TIME" },
            { 'g', "grep", OPT_TEXT, "Lines that match alone.", "RE" },
            { 0, "highlight", OPT_TEXT, "What matches stands out.", "RE" },
            { 0, "out", OPT_FLAG, "Standard output alone." },
            { 0, "err", OPT_FLAG, "Standard error alone." },
            { 't', "time", OPT_FLAG, "When each line was written, in front." },
            { 0, "raw", OPT_FLAG, "Lines as they are, without the app's name." },
            { 0 } },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = logs_run,
};
