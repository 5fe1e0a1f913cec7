/* The rules of config.md, "Which interpreter", in their order: what is asked for, the extension, the #! line,
 * what the file is. A #! line is always carried out here and not by the kernel, so that a file without
 * the executable bit, with CRLF line ends or with a byte order mark runs as well. */
#include "conf/interp.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { HEAD_MOST = 1024 };
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* ---- the real disk ---- */

static int disk_stat(void *arg, const char *path, unsigned *mode)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno;
    *mode = st.st_mode;
    return 0;
}

static int disk_head(void *arg, const char *path, char *out, size_t n)
{
    own_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    size_t len = 0;
    while (len < n) {
        ssize_t got = read(fd, out + len, n - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (int)len;
}

static bool disk_can_exec(void *arg, const char *path)
{
    return access(path, X_OK) == 0;
}

const struct interp_fs interp_disk = { .stat = disk_stat, .head = disk_head, .can_exec = disk_can_exec };

const struct interp_rules interp_unix = { .list_separator = ':', .exec_bit = true };
const struct interp_rules interp_windows = {
    .list_separator = ';',
    .exts = (const char *const[]){ ".com", ".exe", ".bat", ".cmd", NULL },
    .drives = true,
};

/* ---- paths and programs ---- */

static bool has_slash(const struct interp_query *q, const char *s)
{
    return strpbrk(s, q->rules->drives ? "/\\" : "/") != NULL;
}

static char *absolute(const struct interp_query *q, const char *dir, const char *path)
{
    if (!q->rules->drives)
        return path_absolute(dir, path);
    bool rooted = path[0] == '/' || path[0] == '\\' || (path[0] && path[1] == ':');
    return rooted ? xstrdup(path) : path_join(dir, text_starts(path, "./") ? path + 2 : path);
}

static bool is_file(const struct interp_query *q, const char *path)
{
    unsigned mode;
    return q->fs->stat(q->fs->arg, path, &mode) == 0 && S_ISREG(mode);
}

static bool is_program(const struct interp_query *q, const char *path)
{
    return is_file(q, path) && (!q->rules->exec_bit || q->fs->can_exec(q->fs->arg, path));
}

static bool has_program_ext(const struct interp_rules *rules, const char *path)
{
    for (const char *const *ext = rules->exts; ext && *ext; ext++)
        if (strcasecmp(path_ext(path), *ext) == 0)
            return true;
    return false;
}

/* path as it is, or with the extensions programs have on this system. Takes path. */
static char *with_program_ext(const struct interp_query *q, char *take_path)
{
    own_text path = take_path;
    if (!q->rules->exts || has_program_ext(q->rules, path))
        return is_program(q, path) ? steal(path) : NULL;
    for (const char *const *ext = q->rules->exts; *ext; ext++) {
        own_text full = xasprintf("%s%s", path, *ext);
        if (is_program(q, full))
            return steal(full);
    }
    return NULL;
}

static const char *search_path(const struct interp_query *q)
{
    return q->path ? q->path : DEFAULT_PATH;
}

/* The folders of PATH for a message: as many whole ones as fit, and how many more there are. */
static char *searched(const struct interp_query *q)
{
    enum { SHOWN_MOST = 200 };
    const char *path = search_path(q), separator[] = { q->rules->list_separator, '\0' };
    size_t len = strlen(path), fits = 0, left = 0;
    if (len <= SHOWN_MOST)
        return xstrdup(path);
    for (size_t at = 0; at <= len; at++) {
        at += strcspn(path + at, separator);
        if (at <= SHOWN_MOST)
            fits = at;
        else
            left++;
    }
    return xasprintf("%.*s%s... %s%zu%s folder%s", (int)fits, path, fits ? separator : "", fits ? "and " : "",
                     left, fits ? " more" : "", left == 1 ? "" : "s");
}

char *interp_find_program(const struct interp_query *q, const char *name)
{
    if (!*name)
        return NULL;
    if (has_slash(q, name))
        return with_program_ext(q, absolute(q, q->cwd, name));
    const char *p = search_path(q);
    const char separator[] = { q->rules->list_separator, '\0' };
    for (;;) {
        size_t n = strcspn(p, separator);
        own_text dir = xstrndup(p, n); /* an empty one means the cwd, as shells have it */
        own_text full_dir = absolute(q, q->cwd, n ? dir : ".");
        char *found = with_program_ext(q, path_join(full_dir, name));
        if (found || !p[n])
            return found;
        p += n + 1;
    }
}

/* "node" for /usr/bin/node, and for C:\bin\node.exe */
static char *program_name(const struct interp_query *q, const char *path)
{
    const char *base = path_base(path), *back = q->rules->drives ? strrchr(base, '\\') : NULL;
    base = back ? back + 1 : base;
    size_t n = strlen(base) - (has_program_ext(q->rules, base) ? strlen(path_ext(base)) : 0);
    return xstrndup(base, n);
}

/* ---- plans ---- */

/* One way to run what was found. Lists are copied. */
struct way {
    const char *exec;   /* absolute */
    const char *shown;  /* for people; NULL: the program's own name */
    char *const *words; /* between the program and interpreter_args */
    bool direct;        /* exec is the script itself */
};

static char **add_all(char **v, char *const *more)
{
    for (; more && *more; more++)
        v = strv_add(v, *more);
    return v;
}

static int plan(const struct interp_query *q, const char *script, const struct way *way,
                struct interp_plan *out)
{
    char **argv = strv_add(NULL, way->exec);
    if (!way->direct) {
        argv = add_all(argv, way->words);
        argv = add_all(argv, q->interpreter_args);
        argv = strv_add(argv, script);
    }
    *out = (struct interp_plan){
        .exec = xstrdup(way->exec),
        .argv = add_all(argv, q->args),
        .script = xstrdup(script),
        .interpreter = way->shown ? xstrdup(way->shown) : program_name(q, way->exec),
    };
    return 0;
}

void interp_plan_done(struct interp_plan *p)
{
    free(p->exec);
    free(p->script);
    free(p->interpreter);
    strv_free(p->argv);
    *p = (struct interp_plan){ 0 };
}

static int hint_interpreter(struct err *e)
{
    return err_hint(e, "name one with --interpreter, or run the file itself with --interpreter none");
}

static int not_on_path(const struct interp_query *q, const char *script, const char *program, struct err *e)
{
    own_text path = searched(q);
    if (has_slash(q, program))
        err_set(e, ERR_CONFIG, "%s: interpreter %s: no such program", script, program);
    else
        err_set(e, ERR_CONFIG, "%s: interpreter %s is not on PATH (searched %s)", script, program, path);
    return err_hint(e, "install %s, or name another program with --interpreter", program);
}

static int not_executable(const char *script, struct err *e)
{
    err_set(e, ERR_CONFIG, "%s: is not executable", script);
    return err_hint(e, "chmod +x %s, or name what runs it with --interpreter", script);
}

static int run_direct(const struct interp_query *q, const char *script, struct interp_plan *out,
                      struct err *e)
{
    if (q->rules->exec_bit && !q->fs->can_exec(q->fs->arg, script))
        return not_executable(script, e);
    if (q->interpreter_args && *q->interpreter_args) {
        err_set(e, ERR_CONFIG, "%s: runs without an interpreter, so interpreter_args have no place", script);
        return err_hint(e, "put them into args, or name an interpreter");
    }
    return plan(q, script, &(struct way){ .exec = script, .shown = "none", .direct = true }, out);
}

static int run_with(const struct interp_query *q, const char *script, const char *program, char *const *words,
                    struct interp_plan *out, struct err *e)
{
    own_text exec = interp_find_program(q, program);
    if (!exec)
        return not_on_path(q, script, program, e);
    return plan(q, script, &(struct way){ .exec = exec, .words = words }, out);
}

/* ---- by extension ---- */

/* TypeScript: the tsx of the project, which is that of the nearest node_modules upward. */
static char *project_tsx(const struct interp_query *q, const char *script)
{
    own_text dir = path_dir(script);
    for (;;) {
        char *found = with_program_ext(q, path_join(dir, "node_modules/.bin/tsx"));
        if (found)
            return found;
        char *slash = strrchr(dir, '/');
        if (!slash || !dir[1])
            return NULL;
        slash[slash == dir] = '\0';
    }
}

static int run_typescript(const struct interp_query *q, const char *script, struct interp_plan *out,
                          struct err *e)
{
    own_text node = interp_find_program(q, "node");
    own_text tsx = project_tsx(q, script);
    if (!node) /* tsx and npx are scripts of it */
        return not_on_path(q, script, "node", e);
    if (tsx)
        return plan(q, script, &(struct way){ .exec = tsx, .shown = "tsx" }, out);
    own_text npx = interp_find_program(q, "npx");
    if (!npx)
        return not_on_path(q, script, "npx", e);
    char *const words[] = { "tsx", NULL };
    return plan(q, script, &(struct way){ .exec = npx, .shown = "tsx", .words = words }, out);
}

static const struct by_ext {
    const char *ext;
    const char *program, *otherwise; /* otherwise: when program is not there */
    int (*run)(const struct interp_query *q, const char *script, struct interp_plan *out, struct err *e);
} by_ext[] = {
    { ".js", "node" },
    { ".mjs", "node" },
    { ".cjs", "node" },
    { ".ts", .run = run_typescript },
    { ".tsx", .run = run_typescript },
    { ".py", "python3", "python" },
    { ".rb", "ruby" },
    { ".php", "php" },
    { ".pl", "perl" },
    { ".sh", "bash", "sh" },
};

static const struct by_ext *find_ext(const char *script)
{
    for (size_t i = 0; i < ARRAY_LEN(by_ext); i++)
        if (strcasecmp(path_ext(script), by_ext[i].ext) == 0)
            return &by_ext[i];
    return NULL;
}

static int run_by_ext(const struct interp_query *q, const char *script, const struct by_ext *row,
                      struct interp_plan *out, struct err *e)
{
    if (row->run)
        return row->run(q, script, out, e);
    own_text first = interp_find_program(q, row->program);
    bool other = !first && row->otherwise;
    own_text second = other ? interp_find_program(q, row->otherwise) : NULL;
    return run_with(q, script, second ? row->otherwise : row->program, NULL, out, e);
}

/* ---- by #! line ---- */

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t");
}

/* `#!/usr/bin/env node` names a program to look up on PATH, `env -S` a whole command line. What else env
 * can do (options, assignments) is left to env: *program stays NULL. */
static int read_env_line(const char *arg, char ***words, struct err *e)
{
    bool split = text_starts(arg, "-S");
    if (split)
        arg = skip_blanks(arg + 2);
    own_strv v = NULL;
    if (text_split_words(arg, &v, e) < 0)
        return -1;
    if (v && v[0][0] != '-' && !strchr(v[0], '='))
        *words = steal(v);
    return 0;
}

/* The program of a #! line and its arguments as one list. Other than env's, an argument is one word
 * with blanks in it: so does the kernel. */
static int read_shebang(const char *line, char ***out, struct err *e)
{
    line = skip_blanks(line);
    size_t n = strcspn(line, " \t");
    own_text program = xstrndup(line, n);
    own_text arg = xstrdup(skip_blanks(line + n));
    for (n = strlen(arg); n > 0 && strchr(" \t", arg[n - 1]);)
        arg[--n] = '\0';
    if (!*program)
        return err_set(e, ERR_CONFIG, "its #! line is empty");
    char **words = NULL;
    if (strcmp(path_base(program), "env") == 0 && read_env_line(arg, &words, e) < 0)
        return err_in(e, "its #! line");
    if (!words) {
        words = strv_take(NULL, steal(program));
        words = *arg ? strv_add(words, arg) : words;
    }
    *out = words;
    return 0;
}

static int run_by_shebang(const struct interp_query *q, const char *script, const char *line,
                          struct interp_plan *out, struct err *e)
{
    own_strv words = NULL;
    if (read_shebang(line, &words, e) < 0) {
        e->code = ERR_CONFIG;
        err_in(e, "%s", script);
        return hint_interpreter(e);
    }
    assert(words && words[0]); /* read_shebang refuses an empty one */
    /* Elsewhere than on Unix /usr/bin/python3 is only a name. */
    const char *program = q->rules->exec_bit ? words[0] : path_base(words[0]);
    if (run_with(q, script, program, words + 1, out, e) == 0)
        return 0;
    err_in(e, "#! line");
    return -1;
}

/* ---- by what the file is ---- */

struct head {
    char text[HEAD_MOST + 1];
    size_t len;
};

static bool starts_with(const struct head *h, const char *magic, size_t n)
{
    return h->len >= n && memcmp(h->text, magic, n) == 0;
}

static bool is_native(const struct interp_query *q, const char *script, const struct head *h)
{
    static const char magics[][5] = { "\177ELF",          "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf",
                                      "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe" };
    for (size_t i = 0; i < ARRAY_LEN(magics); i++)
        if (starts_with(h, magics[i], 4))
            return true;
    return has_program_ext(q->rules, script);
}

/* The #! line of a file, without "#!" and line end; NULL: it has none. */
static char *shebang_line(struct head *h)
{
    static const char bom[] = "\xef\xbb\xbf";
    char *text = h->text + (starts_with(h, bom, 3) ? 3 : 0);
    if (strncmp(text, "#!", 2) != 0)
        return NULL;
    text[strcspn(text, "\r\n")] = '\0';
    return text + 2;
}

static int nothing_known(const char *script, const char *ext, bool can_exec, struct err *e)
{
    if (!*ext && !can_exec) {
        err_set(e, ERR_CONFIG, "%s: not executable and no known extension, and it has no #! line", script);
        return err_hint(e, "chmod +x %s, or name what runs it with --interpreter", script);
    }
    own_text what = *ext ? xasprintf("%s is no known extension", ext) : xstrdup("it has no extension");
    err_set(e, ERR_CONFIG, "%s: cannot tell what runs it: %s, no #! line, and it is no ELF or Mach-O program",
            script, what);
    return hint_interpreter(e);
}

static int run_by_content(const struct interp_query *q, const char *script, struct interp_plan *out,
                          struct err *e)
{
    const char *ext = path_ext(script);
    bool can_exec = q->rules->exec_bit && q->fs->can_exec(q->fs->arg, script);
    struct head h = { .len = 0 };
    int n = q->fs->head(q->fs->arg, script, h.text, HEAD_MOST);
    if (n < 0 && can_exec) /* may be run but not read: mode 0711 */
        return run_direct(q, script, out, e);
    if (n < 0)
        return err_set(e, ERR_CONFIG, "%s: %s", script, strerror(-n));
    if (n == 0) {
        err_set(e, ERR_CONFIG, "%s: is empty", script);
        return hint_interpreter(e);
    }
    h.len = (size_t)n;
    const char *line = shebang_line(&h);
    if (line && strlen(h.text) == HEAD_MOST) /* no line end in what was read */
        return err_set(e, ERR_CONFIG, "%s: its #! line is too long", script);
    if (line)
        return run_by_shebang(q, script, line, out, e);
    if (is_native(q, script, &h) || (!*ext && can_exec))
        return run_direct(q, script, out, e);
    return nothing_known(script, ext, can_exec, e);
}

/* ---- the script itself ---- */

static int missing(const struct interp_query *q, int why, struct err *e)
{
    own_text path = searched(q);
    if (has_slash(q, q->script) || (why != ENOENT && why != ENOTDIR))
        err_set(e, ERR_CONFIG, "%s: %s (in %s)", q->script, strerror(why), q->cwd);
    else
        err_set(e, ERR_CONFIG, "%s: no such file in %s, and no program of that name on PATH (searched %s)",
                q->script, q->cwd, path);
    if (!strchr(q->script, ' '))
        return -1;
    return err_hint(e,
                    "script is one name; what stands behind it goes into args, and a line for a shell into "
                    "script = \"sh\", args = [\"-c\", \"...\"]");
}

/* The script is no file: `npm` for one on PATH, and where programs have extensions `tool` for tool.exe. */
static char *find_as_program(const struct interp_query *q, const char *path)
{
    char *found = q->rules->exts ? with_program_ext(q, xstrdup(path)) : NULL;
    if (found || has_slash(q, q->script))
        return found;
    return interp_find_program(q, q->script);
}

/* The file meant by q->script. A bare word that is no file in cwd may be a program: *on_path. */
static int locate(const struct interp_query *q, char **script, bool *on_path, struct err *e)
{
    own_text path = absolute(q, q->cwd, q->script);
    unsigned mode = 0;
    int why = q->fs->stat(q->fs->arg, path, &mode);
    if (why || !S_ISREG(mode)) {
        char *program = find_as_program(q, path);
        if (program) {
            *on_path = true;
            *script = program;
            return 0;
        }
    }
    if (why)
        return missing(q, why, e);
    if (S_ISDIR(mode)) {
        err_set(e, ERR_CONFIG, "%s: is a directory", q->script);
        return err_hint(e, "name the file in it that is to run");
    }
    if (!S_ISREG(mode))
        return err_set(e, ERR_CONFIG, "%s: is not a regular file", q->script);
    *script = steal(path);
    return 0;
}

int interp_resolve(const struct interp_query *q, struct interp_plan *out, struct err *e)
{
    own_text script = NULL;
    bool on_path = false;
    if (!*q->script)
        return err_set(e, ERR_CONFIG, "the script's name is empty");
    if (locate(q, &script, &on_path, e) < 0)
        return -1;
    if (q->interpreter && strcmp(q->interpreter, "none") != 0)
        return run_with(q, script, q->interpreter, NULL, out, e);
    if (q->interpreter || on_path)
        return run_direct(q, script, out, e);
    const struct by_ext *row = find_ext(script);
    return row ? run_by_ext(q, script, row, out, e) : run_by_content(q, script, out, e);
}
