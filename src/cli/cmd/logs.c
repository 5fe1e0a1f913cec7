/* logs: the apps' log files, read and followed where they lie. The daemon is asked once, for their paths;
 * without one they are found in the home. So a follower costs the daemon nothing and outlives it. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/follow.h"
#include "cli/status.h"
#include "logs/tail.h"
#include "os/fds.h"

enum { LINES = 15, FLUSH = 64 << 10, INTERRUPTED = 130 };

struct source { /* a log file */
    char *app, *stream, *path;
    int64_t id, instance; /* id -1: not known without a daemon */
    bool several;         /* the app has more than one instance */
    struct tail *tail;
};

struct logs {
    struct cli *c;
    struct source *sources;
    size_t n;
    struct follow *follow; /* or NULL */
    bool raw, color;
    int width;      /* of the widest label */
    struct buf out; /* gathered, written in one go */
    struct err *e;
    bool failed;
};

struct line_to {
    struct logs *l;
    const struct source *s;
};

static void logs_done(struct logs *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->sources[i].app);
        free(l->sources[i].stream);
        free(l->sources[i].path);
        tail_free(l->sources[i].tail);
    }
    free(l->sources);
    follow_free(l->follow);
    buf_done(&l->out);
}

/* Lines ------------------------------------------------------------------------------------------------ */

static char *label(const struct source *s)
{
    return s->several ? xasprintf("%s %lld", s->app, (long long)s->instance) : xstrdup(s->app);
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

static void add_prefix(struct logs *l, const struct source *s)
{
    own_text name = label(s);
    if (l->color)
        buf_addf(&l->out, "%s%-*s |%s ", label_color(s->app), l->width, name, color_code("reset"));
    else
        buf_addf(&l->out, "%-*s | ", l->width, name);
}

static void add_json(struct logs *l, const struct source *s, const char *line, size_t n)
{
    struct json_out j = JSON_OUT(&l->out);
    json_open(&j, NULL, '{');
    json_str(&j, "app", s->app);
    if (s->id >= 0)
        json_int(&j, "id", s->id);
    json_int(&j, "instance", s->instance);
    json_str(&j, "stream", s->stream);
    json_strn(&j, "message", line, n);
    json_close(&j, '}');
}

static void flush(struct logs *l)
{
    if (!l->failed)
        l->failed = out_write(&l->out, l->e) < 0;
    buf_clear(&l->out);
}

static void on_line(void *arg, const char *line, size_t n)
{
    const struct line_to *to = arg;
    struct logs *l = to->l;
    if (l->c->json) {
        add_json(l, to->s, line, n);
    } else {
        if (!l->raw)
            add_prefix(l, to->s);
        buf_add(&l->out, line, n);
    }
    buf_addc(&l->out, '\n');
    if (l->out.len > FLUSH)
        flush(l);
}

static void read_source(struct logs *l, size_t i)
{
    struct line_to to = { l, &l->sources[i] };
    tail_read(l->sources[i].tail, on_line, &to);
}

static void last_words(struct logs *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct line_to to = { l, &l->sources[i] };
        tail_flush(l->sources[i].tail, on_line, &to);
    }
    flush(l);
}

/* Sources ---------------------------------------------------------------------------------------------- */

static struct source *find_source(const struct logs *l, const char *path)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->sources[i].path, path) == 0)
            return &l->sources[i];
    return NULL;
}

static bool wants_stream(const struct logs *l, const char *stream)
{
    bool out = args_has(&l->c->args, "out"), err = args_has(&l->c->args, "err");
    return out == err || (strcmp(stream, "out") == 0 ? out : err);
}

/* Both streams and all instances may share a file: it is read once. */
static void add_source(struct logs *l, const char *app, int64_t id, int64_t instance, const char *stream,
                       const char *path)
{
    if (!wants_stream(l, stream) || find_source(l, path))
        return;
    l->sources = xrealloc(l->sources, (l->n + 1) * sizeof(*l->sources));
    l->sources[l->n++] = (struct source){
        .app = xstrdup(app),
        .stream = xstrdup(stream),
        .path = xstrdup(path),
        .id = id,
        .instance = instance,
        .tail = tail_new(path),
    };
}

static void settle_labels(struct logs *l)
{
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->n && !l->sources[i].several; k++)
            l->sources[i].several = l->sources[i].instance != l->sources[k].instance &&
                                    strcmp(l->sources[i].app, l->sources[k].app) == 0;
    for (size_t i = 0; i < l->n; i++) {
        own_text name = label(&l->sources[i]);
        l->width = MAX(l->width, (int)strlen(name));
    }
}

static int ask_daemon(struct logs *l, struct err *e)
{
    own_text params = cli_select(l->c, NULL);
    own_json result = NULL;
    if (cli_ask_running(l->c, "log.files", params, &result, e) < 0)
        return -1;
    size_t i;
    json_t *file;
    json_array_foreach(json_object_get(result, "files"), i, file) add_source(
        l, json_get_str(file, "app", "?"), json_get_int(file, "id", -1), json_get_int(file, "instance", 0),
        json_get_str(file, "stream", "out"), json_get_str(file, "path", ""));
    return 0;
}

/* <app>-out.log, <app>-error-2.log: cuts the name into its parts; false: another kind of file. */
static bool parse_name(char *name, int64_t *instance, const char **stream)
{
    if (!text_ends(name, ".log"))
        return false;
    name[strlen(name) - strlen(".log")] = '\0';
    char *dash = strrchr(name, '-');
    *instance = 0;
    if (dash && isdigit((unsigned char)dash[1])) {
        *instance = strtoll(dash + 1, NULL, 10);
        *dash = '\0';
        dash = strrchr(name, '-');
    }
    *stream = dash && strcmp(dash, "-out") == 0 ? "out" : dash && strcmp(dash, "-error") == 0 ? "err" : NULL;
    if (*stream)
        *dash = '\0';
    return *stream;
}

/* The selectors that need no daemon: a name, all, /regex/. 1, 0, or -1: not a regular expression. */
static int word_matches(const char *word, const char *app, struct err *e)
{
    size_t n = strlen(word);
    if (n < 3 || word[0] != '/' || word[n - 1] != '/')
        return strcmp(word, "all") == 0 || strcmp(word, app) == 0;
    own_text pattern = xstrndup(word + 1, n - 2);
    regex_t re;
    int r = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);
    if (r != 0)
        return err_set(e, ERR_USAGE, "`%s` is not a regular expression", word);
    bool found = regexec(&re, app, 0, NULL, 0) == 0;
    regfree(&re);
    return found;
}

static int is_selected(const struct logs *l, const char *app, struct err *e)
{
    if (l->c->args.n_words == 0)
        return 1;
    int r = 0;
    for (const char **w = l->c->args.words; *w && r == 0; w++)
        r = word_matches(*w, app, e);
    return r;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct source *)a)->path, ((const struct source *)b)->path);
}

static int add_found(struct logs *l, const char *folder, const char *file, struct err *e)
{
    own_text name = xstrdup(file);
    int64_t instance;
    const char *stream;
    if (!parse_name(name, &instance, &stream))
        return 0;
    int r = is_selected(l, name, e);
    if (r <= 0)
        return r;
    own_text path = path_join(folder, file);
    add_source(l, name, -1, instance, stream, path);
    return 0;
}

static int search_home(struct logs *l, struct err *e)
{
    own_text folder = path_join(l->c->home, "logs");
    DIR *d = opendir(folder);
    if (!d)
        return errno == ENOENT ? 0 : err_sys(e, "%s", folder);
    int r = 0;
    for (const struct dirent *entry; r == 0 && (entry = readdir(d));)
        r = add_found(l, folder, entry->d_name, e);
    closedir(d);
    if (l->n)
        qsort(l->sources, l->n, sizeof(*l->sources), by_path);
    return r;
}

static int find_sources(struct logs *l, struct err *e)
{
    if (ask_daemon(l, e) < 0) {
        if (!cli_no_daemon(e))
            return -1;
        if (search_home(l, e) < 0)
            return -1;
        if (l->n == 0 && l->c->args.n_words) {
            err_set(e, ERR_NOT_FOUND, "no log file of %s in %s/logs", l->c->args.words[0], l->c->home);
            return err_hint(e, "no daemon is running; velos logs alone shows what there is");
        }
    }
    settle_labels(l);
    if (l->n == 0)
        out_note("no log files yet");
    return 0;
}

/* Following -------------------------------------------------------------------------------------------- */

static void on_changed(void *arg, size_t i)
{
    read_source(arg, i);
}

/* A log file of an app that was not there when we began: the daemon knows whose it is. Its watch comes before
 * it is read. */
static void on_appeared(void *arg, const char *path)
{
    struct logs *l = arg;
    struct err ignored; /* no daemon, or no app of ours: then it is none of our files either */
    size_t before = l->n;
    if (!text_ends(path, ".log"))
        return;
    cli_disconnect(l->c);
    if (ask_daemon(l, &ignored) < 0)
        return;
    settle_labels(l);
    for (size_t i = before; i < l->n; i++) {
        follow_add(l->follow, l->sources[i].path);
        read_source(l, i);
    }
}

static int follow(struct logs *l)
{
    struct follow_hooks hooks = { on_changed, on_appeared, l };
    for (;;) {
        flush(l);
        if (l->failed)
            return -1;
        enum follow_end end = follow_wait(l->follow, &hooks);
        if (end == FOLLOW_INTERRUPTED) {
            last_words(l);
            return INTERRUPTED;
        }
        if (end == FOLLOW_UNREAD)
            return 0;
    }
}

/* Before it is asked which files there are: one that comes in between is then told by its folder. */
static void watch_home(struct logs *l)
{
    own_text folder = path_join(l->c->home, "logs");
    l->follow = follow_new();
    if (access(l->c->home, F_OK) == 0)
        mkdir(folder, 0700); /* no app yet: its first file must be seen to come */
    follow_folder(l->follow, folder);
}

static void begin_following(struct logs *l)
{
    for (size_t i = 0; i < l->n; i++)
        follow_add(l->follow, l->sources[i].path);
}

static int show(struct logs *l)
{
    size_t lines = (size_t)args_count(&l->c->args, "lines", LINES);
    os_fds_raise_limit(); /* each file is open while it is followed */
    if (l->follow)
        begin_following(l);
    for (size_t i = 0; i < l->n; i++) {
        tail_seek(l->sources[i].tail, lines);
        read_source(l, i);
    }
    if (l->follow)
        return follow(l);
    last_words(l);
    return l->failed ? -1 : 0;
}

static int logs_run(struct cli *c, struct err *e)
{
    struct logs l = { .c = c, .e = e, .raw = args_has(&c->args, "raw") };
    l.color = out_color_wanted(c->color, STDOUT_FILENO);
    if (args_has(&c->args, "follow") || (isatty(STDOUT_FILENO) && !args_has(&c->args, "no-follow")))
        watch_home(&l);
    int status = find_sources(&l, e);
    if (status == 0)
        status = show(&l);
    logs_done(&l);
    return status;
}

const struct cmd cmd_logs = {
    .name = "logs",
    .usage = "logs [<app>...]",
    .about = "The last lines of the apps' output; on a terminal, and with -f, those to come.",
    .more = "Reads the log files themselves, with or without a daemon, and follows them over rotations, "
            "restarts and\n"
            "deaths of app and daemon.",
    .args = { .max = ARGS_ANY },
    .opts =
        (const struct opt[]){ { 'n', "lines", OPT_COUNT, "So many last lines of each file [15].", "N" },
                              { 'f', "follow", OPT_FLAG, "Go on with what is written." },
                              { 0, "no-follow", OPT_FLAG, "End after the last lines, on a terminal too." },
                              { 0, "out", OPT_FLAG, "Standard output alone." },
                              { 0, "err", OPT_FLAG, "Standard error alone." },
                              { 0, "raw", OPT_FLAG, "Lines as they are, without the app's name." },
                              { 0 } },
    .flags = CMD_ASKS_DAEMON,
    .words = WORDS_APPS,
    .run = logs_run,
};
