#include "cli/sources.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/pattern.h"
#include "logs/target.h"
#include "proto/scan.h"

static void source_done(struct source *s)
{
    strv_free(s->apps);
    free(s->path);
    free(s->file);
    rights_free(s->rights);
}

void sources_done(struct sources *s)
{
    for (size_t i = 0; i < s->n; i++) {
        source_done(&s->all[i]);
    }
    free(s->all);
    free(s->device);
    map_done(&s->by_file);
    *s = (struct sources){ 0 };
}

/* The first name, others while there is room, and how many more there are. */
char *source_label(const struct source *s)
{
    enum { MOST = 32 };
    if (!s->apps[1])
        return s->several ? xasprintf("%s %lld", s->apps[0], (long long)s->instance) : xstrdup(s->apps[0]);
    own_buf label = { 0 };
    char *const *name = s->apps;
    buf_adds(&label, *name);
    while (*++name && label.len + 1 + strlen(*name) <= MOST)
        buf_addf(&label, ",%s", *name);
    if (*name)
        buf_addf(&label, ",+%zu", strv_len(name));
    return buf_steal(&label);
}

static struct source *find(const struct sources *s, const char *file)
{
    size_t place = (size_t)map_get(&s->by_file, map_text_key(file));
    if (!place || strcmp(s->all[place - 1].file, file) == 0)
        return place ? &s->all[place - 1] : NULL;
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->all[i].file, file) == 0)
            return &s->all[i];
    return NULL;
}

/* What is written there is gone: standard output of the daemon (to us that name is our own), /dev/null. */
static bool is_device(const struct source *source)
{
    struct stat st;
    if (!source->file || target_is_borrowed(source->file))
        return source->file;
    return text_starts(source->file, "/dev/") && stat(source->file, &st) == 0 &&
           (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

static void count_device(struct sources *s, const struct source *device)
{
    if (s->devices++ == 0)
        s->device = xstrdup(device->path);
}

static void add(struct sources *s, struct source take)
{
    bool wanted = strcmp(take.stream, "out") == 0 ? s->out : s->err;
    if (wanted && is_device(&take)) {
        count_device(s, &take);
        wanted = false;
    }
    if (!wanted || !take.file || !take.apps || find(s, take.file)) {
        source_done(&take);
        return;
    }
    s->all = xrealloc(s->all, (s->n + 1) * sizeof(*s->all));
    s->all[s->n++] = take;
    map_put(&s->by_file, map_text_key(take.file), (void *)s->n);
}

/* Who else writes to it, by a stream that need not be wanted. */
static void join(struct sources *s, struct source take)
{
    struct source *known = take.file && take.apps ? find(s, take.file) : NULL;
    if (known) {
        if (known->id < 0) { /* found in the home, without a daemon */
            known->id = take.id;
            known->instance = take.instance;
        }
        bool another = !strv_has(known->apps, take.apps[0]);
        known->shared |= another || take.id != known->id;
        if (another)
            known->apps = strv_add(known->apps, take.apps[0]);
    }
    source_done(&take);
}

static void find_several(struct sources *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->n && s->all[i].instance > 0; k++)
            if (s->all[k].instance != s->all[i].instance && strcmp(s->all[i].apps[0], s->all[k].apps[0]) == 0)
                s->all[i].several = s->all[k].several = true;
}

/* From the daemon. A large answer is read where it lies. */

static char *target_as(const struct rights *rights, const char *path)
{
    struct place at;
    if (place_begin(&at, rights, path) < 0)
        return xstrdup(path);
    char *target = target_of(at.name);
    place_end(&at);
    return target;
}

/* Of the app's user, where the daemon says that it is not its own. Ours count, unless we are root. */
static struct rights *read_rights(const struct sources *s, struct piece uid, struct piece gid,
                                  struct piece groups)
{
    enum { MOST = 1024 };
    gid_t all[MOST];
    int64_t user, group, one;
    struct piece item;
    size_t at = 0;
    int n = 0;
    if (geteuid() != 0 || !piece_int(uid, &user) || !piece_int(gid, &group))
        return NULL;
    while (n < MOST && scan_item(groups, &at, &item))
        if (piece_int(item, &one))
            all[n++] = (gid_t)one;
    return rights_new(&(struct os_fsid){ (uid_t)user, (gid_t)group, all, n }, s->home_logs);
}

static struct source read_answered(const struct sources *s, struct piece file)
{
    static const char *const names[] = { "app", "id", "instance", "stream", "path", "uid", "gid", "groups" };
    struct piece v[ARRAY_LEN(names)];
    struct source found = { .id = -1 };
    scan_members(file, names, ARRAY_LEN(names), v);
    piece_int(v[1], &found.id);
    piece_int(v[2], &found.instance);
    own_text app = piece_text(v[0]);
    found.apps = app ? strv_add(NULL, app) : NULL;
    found.stream = piece_is(v[3], "\"err\"") ? "err" : "out";
    found.path = piece_text(v[4]);
    found.rights = read_rights(s, v[5], v[6], v[7]);
    found.file = found.path ? target_as(found.rights, found.path) : NULL;
    return found;
}

typedef void each_file(struct sources *s, struct source take);

static void for_answered(struct sources *s, const struct buf *answer, each_file *fn)
{
    static const char *const names[] = { "files" };
    struct piece files, file;
    size_t at = 0;
    scan_members((struct piece){ answer->data, answer->len }, names, 1, &files);
    while (scan_item(files, &at, &file))
        fn(s, read_answered(s, file));
}

int sources_ask(struct cli *c, struct sources *s, struct err *e)
{
    own_text params = cli_select(c, NULL);
    own_text logs = path_join(c->home, "logs");
    s->home_logs = logs;
    own_buf files = { 0 };
    own_buf all = { 0 };
    if (cli_ask_text(c, "log.files", params, &files, e) < 0)
        return -1;
    for_answered(s, &files, add);
    if (c->args.n_words && cli_ask_text(c, "log.files", NULL, &all, e) < 0)
        return -1;
    for_answered(s, c->args.n_words ? &all : &files, join);
    find_several(s);
    return 0;
}

/* From the home. */

/* <app>-out.log, <app>-error-2.log: cuts the name into its parts; false: another kind of file. */
static bool parse_name(char *name, struct source *out)
{
    if (!text_ends(name, ".log"))
        return false;
    name[strlen(name) - strlen(".log")] = '\0';
    char *dash = strrchr(name, '-');
    out->instance = 0;
    if (dash && isdigit((unsigned char)dash[1])) {
        out->instance = strtoll(dash + 1, NULL, 10);
        *dash = '\0';
        dash = strrchr(name, '-');
    }
    out->stream = dash && strcmp(dash, "-out") == 0     ? "out"
                  : dash && strcmp(dash, "-error") == 0 ? "err"
                                                        : NULL;
    if (out->stream)
        *dash = '\0';
    return out->stream;
}

/* The selectors that need no daemon: a name, all, /regex/. 1, 0, or -1: not a regular expression. */
static int word_matches(const char *word, const char *app, struct err *e)
{
    struct pattern *p = NULL;
    if (!pattern_is_word(word))
        return strcmp(word, "all") == 0 || strcmp(word, app) == 0;
    if (pattern_from_word(word, &p, e) < 0)
        return -1;
    bool found = pattern_matches(p, app, strlen(app));
    pattern_free(p);
    return found;
}

static int is_selected(const struct cli *c, const char *app, struct err *e)
{
    if (c->args.n_words == 0)
        return 1;
    int r = 0;
    for (const char **w = c->args.words; *w && r == 0; w++)
        r = word_matches(*w, app, e);
    return r;
}

static int add_found(const struct cli *c, struct sources *s, const char *folder, const struct dirent *entry,
                     struct err *e)
{
    own_text name = xstrdup(entry->d_name);
    struct source found = { .id = -1 };
    if (name[0] == '.' || !parse_name(name, &found))
        return 0;
    int r = is_selected(c, name, e);
    if (r <= 0)
        return r;
    found.apps = strv_take(NULL, steal(name));
    found.path = path_join(folder, entry->d_name);
    if (entry->d_type != DT_REG) /* no daemon says whose it is: it is whose who can change where it leads */
        found.rights = rights_of_path(found.path, folder);
    found.file = entry->d_type == DT_REG ? xstrdup(found.path) : target_as(found.rights, found.path);
    if (find(s, found.file)) /* by a link it is another's as well */
        join(s, found);
    else
        add(s, found);
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct source *)a)->path, ((const struct source *)b)->path);
}

static int search_home(const struct cli *c, struct sources *s, struct err *e)
{
    own_text folder = path_join(c->home, "logs");
    DIR *d = opendir(folder);
    if (!d)
        return errno == ENOENT ? 0 : err_sys(e, "%s", folder);
    int r = 0;
    for (const struct dirent *entry; r == 0 && (entry = readdir(d));)
        r = add_found(c, s, folder, entry, e);
    closedir(d);
    if (s->n)
        qsort(s->all, s->n, sizeof(*s->all), by_path);
    for (size_t i = 0; i < s->n; i++)
        map_put(&s->by_file, map_text_key(s->all[i].file), (void *)(i + 1));
    find_several(s);
    return r;
}

int sources_find(struct cli *c, struct sources *s, struct err *e)
{
    if (sources_ask(c, s, e) == 0)
        return 0;
    if (!cli_no_daemon(e) || search_home(c, s, e) < 0)
        return -1;
    if (s->n || !c->args.n_words)
        return 0;
    err_set(e, ERR_NOT_FOUND, "no log file of %s in %s/logs", c->args.words[0], c->home);
    return err_hint(e, "no daemon is running; velos logs alone shows what there is");
}
