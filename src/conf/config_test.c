#include "base/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "conf/config.h"
#include "conf/toml.h"

/* A folder with a velos.toml in it. */
struct home {
    char dir[40];
    char *path;
};

static void home_init(struct home *h, const char *text, size_t n)
{
    strcpy(h->dir, "/tmp/velos-config-test-XXXXXX");
    check(mkdtemp(h->dir) != NULL);
    h->path = path_join(h->dir, "velos.toml");
    own_fd fd = open(h->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    struct err e;
    check_int(file_write_all(fd, text, n, &e), 0);
}

static void home_touch(const struct home *h, const char *name)
{
    own_text path = path_join(h->dir, name);
    own_fd fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    check(fd >= 0);
}

static void home_done(struct home *h)
{
    own_text remove = xasprintf("rm -r %s", h->dir);
    check_int(system(remove), 0);
    free(h->path);
}

/* "LINE:COL text [hint]" a line */
static char *listed(const struct conf_problems *p)
{
    own_buf b = { 0 };
    buf_adds(&b, "");
    for (size_t i = 0; i < p->len; i++) {
        const struct conf_problem *one = &p->items[i];
        buf_addf(&b, "%d:%d %s", one->line, one->col, one->text);
        buf_addf(&b, one->hint ? " [%s]\n" : "\n", one->hint);
    }
    return buf_steal(&b);
}

/* The problems of a file; *out (if given) its apps. */
static char *load_n(const char *text, size_t n, char *const *only, const char *profile, struct config *out)
{
    struct home h;
    struct conf_problems problems = { 0 };
    struct config config = { 0 };
    home_init(&h, text, n);
    home_touch(&h, "server.js");
    const struct config_query q = { .path = h.path, .only = only, .profile = profile };
    int r = config_load(&q, &config, &problems);
    check_int(r, problems.len ? -1 : 0);
    check(problems.len == 0 || strcmp(problems.items[0].file, h.path) == 0);
    char *list = listed(&problems);
    conf_problems_done(&problems);
    home_done(&h);
    if (out)
        *out = config;
    else
        config_done(&config);
    return list;
}

static char *load(const char *text, char *const *only, const char *profile, struct config *out)
{
    return load_n(text, strlen(text), only, profile, out);
}

/* ---- files that are right ---- */

static char *env_of(const struct app_spec *s)
{
    own_buf b = { 0 };
    buf_adds(&b, "");
    for (size_t i = 0; s->env && s->env[i]; i++)
        buf_addf(&b, "%s%s", i ? " " : "", s->env[i]);
    return buf_steal(&b);
}

static const char two_apps[] =
    "[apps.zebra]\n"
    "script = 'server.js'\n"
    "args = '--port 3000'\n"
    "out_file = 'logs/../out.log'\n"
    "env_file = ['.env', '/etc/env']\n"
    "watch = ['src', 'lib']\n"
    "[apps.zebra.env]\n"
    "PORT = 3000\nVERSION = 1.10\nON = true\nBIG = 1_000\nNAME = \"\\u00e4\"\nZERO = -0.0\n"
    "[apps.zebra.env_production]\n"
    "PORT = 80\nONLY = 'here'\n"
    "[apps.ape]\n"
    "script = 'npm'\n"
    "name = 'monkey'\n"
    "cwd = 'sub/./dir'\n"
    "node_args = ['--inspect']\n";

TEST(two_apps_as_written)
{
    struct config c;
    own_text problems = load(two_apps, NULL, NULL, &c);
    check_text(problems, "");
    check_int(c.len, 2);
    const struct app_spec *zebra = c.apps[0], *ape = c.apps[1]; /* in file order */
    check_text(zebra->name, "zebra");
    check(text_starts(zebra->script, "/tmp/velos-config-test-") && text_ends(zebra->script, "/server.js"));
    check(text_starts(zebra->cwd, "/tmp/velos-config-test-") && !strchr(zebra->cwd + 5, '/'));
    check(text_ends(zebra->out_file, "/out.log") && !strstr(zebra->out_file, "logs"));
    check(text_starts(zebra->env_file[0], "/tmp/") && text_ends(zebra->env_file[0], "/.env"));
    check_text(zebra->env_file[1], "/etc/env");
    check(zebra->watch && strv_len(zebra->watch_paths) == 2 && text_ends(zebra->watch_paths[1], "/lib"));
    check(zebra->watch_paths[0][0] == '/');
    own_text env = env_of(zebra);
    check_text(env, "PORT=3000 VERSION=1.10 ON=true BIG=1000 NAME=\xc3\xa4 ZERO=-0.0");

    check_text(ape->name, "monkey");
    check_text(ape->script, "npm"); /* no such file there: a program */
    check(text_ends(ape->cwd, "/sub/dir"));
    check_text(ape->interpreter_args[0], "--inspect");
    check(key_is_set(key_find("name"), ape) && key_is_set(key_find("cwd"), ape));
    config_done(&c);
}

TEST(profile_is_merged_over_env)
{
    struct config c;
    own_text problems = load(two_apps, NULL, "production", &c);
    check_text(problems, "");
    own_text env = env_of(c.apps[0]);
    check_text(env, "PORT=80 VERSION=1.10 ON=true BIG=1000 NAME=\xc3\xa4 ZERO=-0.0 ONLY=here");
    check(c.apps[1]->env == NULL);
    config_done(&c);
}

TEST(profile_without_env)
{
    struct config c;
    own_text problems = load("[apps.a]\nscript='x'\n[apps.a.env_p]\nA=1", NULL, "p", &c);
    check_text(problems, "");
    check_text(c.apps[0]->env[0], "A=1");
    check(key_is_set(key_find("env"), c.apps[0]));
    config_done(&c);
}

TEST(only)
{
    struct config c;
    char *monkey[] = { "monkey", NULL };
    own_text problems = load(two_apps, monkey, NULL, &c);
    check_text(problems, "");
    check_int(c.len, 1);
    check_text(c.apps[0]->name, "monkey");
    config_done(&c);
    own_text no_profile = load(two_apps, monkey, "production", NULL);
    check_text(no_profile, "1:1 --env production: no app has a table env_production\n");
}

TEST(spellings)
{
    static const char text[] = "\xef\xbb\xbf[apps]\r\n"
                               "a.script = 'x'\r\n"
                               "a.env.\"\xc3\xa4\" = 0x1F # hex\r\n"
                               "a.env.B = +1.50\r\n"
                               "b = { script = 'y', env = { C = 1e3, D = \"a\\tb\" } }\r\n";
    struct config c;
    own_text problems = load(text, NULL, NULL, &c);
    check_text(problems, "");
    own_text a = env_of(c.apps[0]);
    own_text b = env_of(c.apps[1]);
    check_text(a, "\xc3\xa4=0x1F B=+1.50");
    check_text(b, "C=1e3 D=a\tb");
    config_done(&c);
}

/* ---- files that are wrong: everything at once ---- */

static const struct {
    const char *text, *only, *profile, *want;
} wrong[] = {
    { "", NULL, NULL, "0:0 no app: expected a table [apps.<name>]\n" },
    { "[apps]\n", NULL, NULL, "1:1 no app: expected a table [apps.<name>]\n" },
    { "apps = 3\n", NULL, NULL, "1:8 apps: expected a table, got an integer [write [apps.<name>]]\n" },
    { "[[apps]]\nscript='x'\n", NULL, NULL,
      "1:1 apps: expected a table, got an array [write [apps.<name>]]\n" },
    { "[apps]\napi = 'x'\n", NULL, NULL, "2:7 apps.api: expected a table, got a string\n" },
    { "[app.api]\nscript='x'\n", NULL, NULL,
      "1:2 app: unknown key [did you mean apps?]\n0:0 no app: expected a table [apps.<name>]\n" },
    { "script = 'x'\n[apps.a]\nscript='y'\n", NULL, NULL,
      "1:1 script: unknown key [script belongs into a table [apps.<name>]]\n" },
    { "[apps.a]\n", NULL, NULL, "1:1 apps.a.script: missing\n" },
    { "[apps.a]\nscript = 3\n", NULL, NULL, "2:10 apps.a.script: expected a string, got 3\n" },
    { "[apps.all]\nscript='x'\n", NULL, NULL,
      "1:7 apps.all: no app can be called \"all\": it selects all of them\n" },
    { "[apps.\"a b\"]\nscript='x'\n", NULL, NULL,
      "1:7 apps.a b: expected a name of 1-64 letters, digits, . _ -, got \"a b\"\n" },
    { "[apps.my.app]\nscript='x'\n", NULL, NULL,
      "1:10 apps.my.app: unknown key [a name with a dot needs quotes: [apps.\"my.app\"]]\n"
      "1:1 apps.my.script: missing\n" },
    { "[apps.a]\nscript='x'\n[apps.b]\nscript='x'\nname='a'\n", NULL, NULL,
      "5:6 apps.b: another app is called a\n" },
    { "[apps.api]\nscript = 'x'\n  max_restarts = \"lots\"\nmax_restart = 3\nkill_timeout = 2024-01-01\n"
      "[apps.b]\nscript='x'\nlog_type='jsn'\n[apps.b.env]\nA = []\nB = 1\nC = {}\n[apps.b.env_p]\nD = []\n",
      NULL, NULL,
      "3:18 apps.api.max_restarts: expected an integer >= -1, got \"lots\"\n"
      "4:1 apps.api.max_restart: unknown key [did you mean max_restarts?]\n"
      "5:16 apps.api.kill_timeout: expected a duration (500ms, 5s, 2m, 1h) of at most 1h, got a date\n"
      "8:10 apps.b.log_type: expected \"raw\" or \"json\", got \"jsn\"\n"
      "10:5 apps.b.env.A: expected a string, a number or true or false, got an array\n"
      "12:5 apps.b.env.C: expected a string, a number or true or false, got a table\n"
      "14:5 apps.b.env_p.D: expected a string, a number or true or false, got an array\n" },
    { "[apps.api]\nscript='x'\nenv_fil = 'x'\nenv_prod = 'x'\n", NULL, NULL,
      "3:1 apps.api.env_fil: unknown key [did you mean env_file?]\n4:1 apps.api.env_prod: unknown key\n" },
    { "[apps.api]\nscript='x'\n", "web", NULL, "1:1 --only web: no app of that name\n" },
    { "[apps.worker]\nscript='x'\n", "wroker", NULL,
      "1:1 --only wroker: no app of that name [did you mean worker?]\n" },
    { "[apps.a]\nscript='x'\n[apps.a.env_production]\n", NULL, "prodution",
      "1:1 --env prodution: no app has a table env_prodution [did you mean production?]\n" },
    { "[apps.a]\nscript='x'\n[apps.a.env_production]\n", NULL, "file",
      "1:1 --env file: no app has a table env_file\n" },
    { "[apps.a]\nscript='x'\nrestart_delay=1\nexp_backoff_restart_delay = true\n", NULL, NULL,
      "4:29 apps.a.exp_backoff_restart_delay: cannot be used together with restart_delay\n" },
    { "[apps.a]\nscript='x'\nwatch=['a']\nwatch_paths=['b']\n", NULL, NULL,
      "3:7 apps.a.watch: lists paths, and so does watch_paths: keep one of them\n" },
    { "[apps.a]\nscript='x'\nargs=[\"\\u0000\"]\n", NULL, NULL, "3:7 a text contains a NUL character\n" },
};

TEST(all_problems_with_their_places)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        check_row(i);
        char *only[] = { (char *)wrong[i].only, NULL };
        own_text problems = load(wrong[i].text, wrong[i].only ? only : NULL, wrong[i].profile, NULL);
        check_text(problems, wrong[i].want);
    }
}

/* What toml++ says is its own; the place is ours to pass on. */
TEST(syntax)
{
    static const struct {
        const char *text, *place;
    } rows[] = {
        { "[apps.api\nscript='x'\n", "1:" },
        { "[apps.a]\nscript = 'x\n", "2:" },
        { "[apps.a]\nscript='x'\nscript='y'\n", "3:" },
        { "[apps.a]\n[apps.a]\n", "2:" },
        { "x = \"\\q\"\n", "1:" },
        { "x = 99999999999999999999999\n", "1:" },
        { "x = '\xff'\n", "1:" },
        { "\xff\xfe[", "1:" },
        { "{\"apps\": []}", "1:" },
        { "[&", "1:" }, /* toml++ would end the program, see toml.cc */
        { "x = 1\n[[/a]]\n", "2:" },
        { "[ \x01]", "1:" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        own_text problems = load(rows[i].text, NULL, NULL, NULL);
        check(text_starts(problems, rows[i].place));
        check(strlen(problems) > 8);
        check(strchr(problems, '\n') == problems + strlen(problems) - 1); /* one */
    }
}

static char *repeated(const char *head, const char *part, int times, const char *tail)
{
    own_buf b = { 0 };
    buf_adds(&b, head);
    while (times-- > 0)
        buf_adds(&b, part);
    buf_adds(&b, tail);
    return buf_steal(&b);
}

/* Each would run a recursive reader out of its stack, or fill the memory. */
TEST(hostile_files)
{
    own_text arrays = repeated("x = ", "[", 100000, "");
    own_text tables = repeated("x = ", "{a=", 100000, "");
    own_text dots = repeated("a", ".a", 100000, " = 1\n");
    own_text header = repeated("[a", ".a", 100000, "]\n");
    own_text quoted = repeated("\"a\"", " . \"a\"", 100000, " = 1\n");
    own_text large = repeated("#", "x", 2 << 20, "\n");
    const char *files[] = { arrays, tables, dots, header, quoted, large };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct conf_problems problems = { 0 };
        struct conf_node root;
        check_row(i);
        if (files[i] != large)
            check_int(toml_parse(files[i], strlen(files[i]), &root, &problems), -1);
        conf_problems_done(&problems);
    }
    struct home h;
    struct conf_problems problems = { 0 };
    struct config c;
    home_init(&h, large, strlen(large));
    check_int(config_load(&(struct config_query){ .path = h.path }, &c, &problems), -1);
    check_contains(problems.items[0].text, "larger than 1048576 bytes");
    home_done(&h);
    conf_problems_done(&problems);
}

TEST(dots_in_texts_are_no_depth)
{
    own_text dots = repeated("[apps.a]\nscript='x'\nargs=['", ".", 1000, "', \"\\\".....\", '''\n...''']\n#");
    own_text more = repeated(dots, ".", 1000, "\n");
    own_text problems = load(more, NULL, NULL, NULL);
    check_text(problems, "");
}

TEST(missing_file)
{
    struct conf_problems problems = { 0 };
    struct config c;
    check_int(config_load(&(struct config_query){ .path = "/nonexistent/velos.toml" }, &c, &problems), -1);
    own_text list = listed(&problems);
    check_text(list, "0:0 /nonexistent/velos.toml: No such file or directory\n");
    conf_problems_done(&problems);
}

/* ---- config/velos.example.toml ---- */

static char *example_text(void)
{
    own_text dir = path_dir(__FILE__);
    own_text path = xasprintf("%s/../../config/velos.example.toml", dir);
    char *text = NULL;
    struct err e;
    if (file_read(path, 1 << 20, &text, NULL, &e) < 0)
        fail_msg("%s", e.text);
    return text;
}

static char *only_key(const struct app_spec *s, const struct key *k)
{
    own_app_spec one = app_spec_copy(s);
    one->set = UINT64_C(1) << (k - keys);
    own_buf b = { 0 };
    struct json_out j = JSON_OUT(&b);
    keys_write_json(one, &j, NULL);
    return buf_steal(&b);
}

TEST(example_shows_the_defaults)
{
    own_text text = example_text();
    own_app_spec fresh = app_spec_new();
    struct config c;
    own_text problems = load(text, NULL, "production", &c);
    check_text(problems, "");
    check_int(c.len, 4);
    for (size_t i = 0; i < keys_len; i++) {
        check_row(i);
        if (!keys[i].def)
            continue;
        check(key_is_set(&keys[i], c.apps[0]));
        if (keys[i].offset == offsetof(struct app_spec, watch_paths)) /* joined to the file's folder */
            continue;
        own_text shown = only_key(c.apps[0], &keys[i]);
        own_text def = only_key(fresh, &keys[i]);
        check_text(shown, def);
    }
    check_text(c.apps[0]->watch_paths[0], c.apps[0]->cwd);
    config_done(&c);
}

/* The lines behind "# " are settings too: without it they must still be right. */
static char *uncommented(char *text)
{
    own_buf bare = { 0 };
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        size_t n = text_starts(line, "# ") ? 2 : 0;
        size_t name = strspn(line + n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_");
        bool setting = n && ((name && text_starts(line + n + name, " = ")) || text_starts(line, "# ["));
        buf_addf(&bare, "%s\n", setting ? line + n : line);
    }
    return buf_steal(&bare);
}

static void check_every_key_is_set(const struct app_spec *s)
{
    for (size_t i = 0; i < keys_len; i++) {
        check_row(i);
        check(key_is_set(&keys[i], s));
    }
}

TEST(example_shows_every_key)
{
    own_text text = example_text();
    own_text bare = uncommented(text);
    struct config c;
    own_text problems = load(bare, NULL, NULL, &c);
    check_text(problems, "");
    check_every_key_is_set(c.apps[0]);
    config_done(&c);
}

/* ---- keys_write_example ---- */

TEST(what_init_writes_shows_every_key_and_the_defaults)
{
    own_buf text = { 0 };
    own_app_spec fresh = app_spec_new();
    struct config c;
    buf_adds(&text, "[apps.\"my.app\"]\nscript = \"./server.js\"\n");
    keys_write_example(&text, "\"my.app\"");
    check(text_ends(text.data, "\n"));

    own_text as_it_is = load(text.data, NULL, NULL, &c);
    check_text(as_it_is, "");
    check_text(c.apps[0]->name, "my.app");
    config_done(&c);

    own_text bare = uncommented(text.data);
    own_text problems = load(bare, NULL, NULL, &c);
    check_text(problems, "");
    check_every_key_is_set(c.apps[0]);
    for (size_t i = 0; i < keys_len; i++) {
        check_row(i);
        if (!keys[i].def || keys[i].type == KEY_PATHS) /* joined to the file's folder */
            continue;
        own_text shown = only_key(c.apps[0], &keys[i]);
        own_text def = only_key(fresh, &keys[i]);
        check_text(shown, def);
    }
    config_done(&c);
}

UNIT_MAIN()
