#include "base/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "conf/interp.h"

/* ---- a disk made of rows ---- */

enum {
    X = S_IFREG | 0755,
    F = S_IFREG | 0644,
    D = S_IFDIR | 0755,
    SECRET = S_IFREG | 0711,
    FIFO = S_IFIFO | 0644
};

struct file {
    const char *path;
    unsigned mode;
    const char *text; /* up to its NUL */
};

static const struct file unix_files[] = {
    { "/bin", D },
    { "/bin/node", X },
    { "/bin/npx", X },
    { "/bin/python3", X },
    { "/bin/bash", X },
    { "/bin/sh", X },
    { "/bin/env", X },
    { "/bin/ruby", X },
    { "/bin/php", X },
    { "/bin/perl", X },
    { "/bin/npm", X, "#!/usr/bin/env node\n" },
    { "/bin/twice", X,
      "\x7f"
      "ELF" },
    { "/bin/noexec", F },
    { "/old/python", X },
    { "/old/sh", X },
    { "/srv", D },
    { "/srv/a.js", F },
    { "/srv/a.mjs", F },
    { "/srv/a.cjs", F },
    { "/srv/A.JS", F },
    { "/srv/a.ts", F },
    { "/srv/a.py", F },
    { "/srv/a.rb", F },
    { "/srv/a.php", F },
    { "/srv/a.pl", F },
    { "/srv/a.sh", X, "#!/bin/zsh\n" }, /* the extension comes first */
    { "/srv/a b.js", F },
    { "/srv/dir", D },
    { "/srv/dir.js", D },
    { "/srv/npx", D }, /* a folder does not hide a program */
    { "/srv/fifo", FIFO },
    { "/srv/node", F, "#!/bin/sh\n" }, /* a file in cwd comes before PATH */
    { "/srv/env1", F, "#!/usr/bin/env node\nx" },
    { "/srv/env2", F, "#! /usr/bin/env -S node --flag 'a b'\n" },
    { "/srv/env3", F, "#!/usr/bin/env -Snode --flag\n" },
    { "/srv/env4", F, "#!/bin/env -S A=1 node\n" },
    { "/srv/env5", F, "#!/bin/env -i node\n" },
    { "/srv/env6", F, "#!/usr/bin/env -S 'open\n" },
    { "/srv/env7", F, "#!/usr/bin/env deno\n" },
    { "/srv/env8", F, "#!/bin/env\n" },
    { "/srv/env9", F, "#!/usr/bin/env node --flag\n" },
    { "/srv/crlf", F, "#!/usr/bin/env python3\r\nprint()\r\n" },
    { "/srv/crlf2", X, "#!/bin/sh\r\n" },
    { "/srv/bom", X, "\xef\xbb\xbf#!/bin/sh\n" },
    { "/srv/bom-only", F,
      "\xef\xbb\xbf"
      "hello" },
    { "/srv/args", F, "#!\t/bin/perl  -w -T \t\n" },
    { "/srv/no-newline", F, "#!/bin/sh" },
    { "/srv/empty-line", F, "#!\n/bin/sh" },
    { "/srv/gone", F, "#!/usr/local/bin/python9\n" },
    { "/srv/bare", F, "#!node\n" },
    { "/srv/run.cgi", F, "#!/bin/perl\n" },
    { "/srv/elf", X,
      "\x7f"
      "ELF\x02" },
    { "/srv/elf.bin", X,
      "\x7f"
      "ELF\x02" },
    { "/srv/server-1.2", X,
      "\x7f"
      "ELF\x02" },
    { "/srv/elf-noexec", F,
      "\x7f"
      "ELF\x02" },
    { "/srv/macho", X, "\xcf\xfa\xed\xfe" },
    { "/srv/fat", X, "\xca\xfe\xba\xbe" },
    { "/srv/exec", X, "hello" },
    { "/srv/text", F, "hello" },
    { "/srv/a.txt", F, "hello" },
    { "/srv/x.txt", X, "hello" },
    { "/srv/empty", X, "" },
    { "/srv/secret", SECRET },
    { "/srv/secret.x", S_IFREG },
    { "/srv/venv/bin/python", X },
    { "/ts", D },
    { "/ts/node_modules/.bin/tsx", X },
    { "/ts/src/deep/a.ts", F },
    { "/ts/src/b.tsx", F },
    { "/ts/src/node_modules/.bin/tsx", F }, /* not executable: look further */
};

static const struct file windows_files[] = {
    { "C:/bin/node.exe", F, "MZ" },
    { "C:/bin/npm", F, "#!/bin/sh\n" }, /* for other shells: not a program here */
    { "C:/bin/npm.cmd", F, "@echo" },
    { "C:/bin/npx.cmd", F, "@echo" },
    { "C:/py/python.exe", F, "MZ" },
    { "C:/srv/a.js", F },
    { "C:/srv/a.py", F },
    { "C:/srv/a.ts", F },
    { "C:/srv/tool.exe", F, "MZ" },
    { "C:/srv/script", F, "#!/usr/bin/env python\r\n" },
    { "C:/srv/script2", F, "#!/usr/bin/node\n" },
    { "C:/srv/text", F, "hello" },
    { "C:/srv/node_modules/.bin/tsx", F },
    { "C:/srv/node_modules/.bin/tsx.cmd", F, "@echo" },
};

struct disk {
    const struct file *files;
    size_t len;
};
static struct disk unix_disk = { unix_files, ARRAY_LEN(unix_files) };
static struct disk windows_disk = { windows_files, ARRAY_LEN(windows_files) };

static const struct file *find(void *arg, const char *path)
{
    const struct disk *disk = arg;
    for (size_t i = 0; i < disk->len; i++)
        if (strcmp(disk->files[i].path, path) == 0)
            return &disk->files[i];
    return NULL;
}

static int fake_stat(void *arg, const char *path, unsigned *mode)
{
    const struct file *f = find(arg, path);
    if (!f)
        return strcmp(path, "/srv/loop") == 0 ? ELOOP : ENOENT;
    *mode = f->mode;
    return 0;
}

static int fake_head(void *arg, const char *path, char *out, size_t n)
{
    const struct file *f = find(arg, path);
    if (!(f->mode & 0444) || f->mode == SECRET)
        return -EACCES;
    size_t len = f->text ? MIN(strlen(f->text), n) : 0;
    if (len)
        memcpy(out, f->text, len);
    return (int)len;
}

static bool fake_can_exec(void *arg, const char *path)
{
    const struct file *f = find(arg, path);
    return f && f->mode & 0111;
}

static const struct interp_fs unix_fs = { &unix_disk, fake_stat, fake_head, fake_can_exec };
static const struct interp_fs windows_fs = { &windows_disk, fake_stat, fake_head, fake_can_exec };

/* ---- what it says ---- */

/* "shown: argv0|argv1|..." or the error */
static char *answer(const struct interp_query *q, struct err *e)
{
    struct interp_plan plan = { 0 };
    own_buf b = { 0 };
    *e = (struct err){ 0 };
    if (interp_resolve(q, &plan, e) < 0) {
        check_int(e->code, ERR_CONFIG);
        return xstrdup(e->text);
    }
    check_text(plan.exec, plan.argv[0]);
    buf_addf(&b, "%s: ", plan.interpreter);
    for (size_t i = 0; plan.argv[i]; i++)
        buf_addf(&b, i ? "|%s" : "%s", plan.argv[i]);
    interp_plan_done(&plan);
    return buf_steal(&b);
}

static struct interp_query unix_query(const char *script)
{
    return (struct interp_query){
        .script = script, .cwd = "/srv", .path = "/nowhere:/bin", .fs = &unix_fs, .rules = &interp_unix
    };
}

static const struct {
    const char *script, *want;
} rows[] = {
    /* by extension */
    { "a.js", "node: /bin/node|/srv/a.js" },
    { "./a.mjs", "node: /bin/node|/srv/a.mjs" },
    { "/srv/a.cjs", "node: /bin/node|/srv/a.cjs" },
    { "A.JS", "node: /bin/node|/srv/A.JS" },
    { "a.py", "python3: /bin/python3|/srv/a.py" },
    { "a.rb", "ruby: /bin/ruby|/srv/a.rb" },
    { "a.php", "php: /bin/php|/srv/a.php" },
    { "a.pl", "perl: /bin/perl|/srv/a.pl" },
    { "a.sh", "bash: /bin/bash|/srv/a.sh" },
    { "../srv/a b.js", "node: /bin/node|/srv/a b.js" },
    { "a.ts", "tsx: /bin/npx|tsx|/srv/a.ts" },
    { "/ts/src/deep/a.ts", "tsx: /ts/node_modules/.bin/tsx|/ts/src/deep/a.ts" },
    { "../ts/src/b.tsx", "tsx: /ts/node_modules/.bin/tsx|/ts/src/b.tsx" },
    /* a program on PATH */
    { "npm", "none: /bin/npm" },
    { "npx", "none: /bin/npx" },
    { "twice", "none: /bin/twice" },
    { "node", "sh: /bin/sh|/srv/node" },
    { "noexec",
      "noexec: no such file in /srv, and no program of that name on PATH (searched /nowhere:/bin)" },
    /* by #! line */
    { "env1", "node: /bin/node|/srv/env1" },
    { "env2", "node: /bin/node|--flag|a b|/srv/env2" },
    { "env3", "node: /bin/node|--flag|/srv/env3" },
    { "env4", "env: /bin/env|-S A=1 node|/srv/env4" },
    { "env5", "env: /bin/env|-i node|/srv/env5" },
    { "env6", "/srv/env6: its #! line: a quote is not closed" },
    { "env7", "#! line: /srv/env7: interpreter deno is not on PATH (searched /nowhere:/bin)" },
    { "env8", "env: /bin/env|/srv/env8" },
    { "env9", "node: /bin/node|--flag|/srv/env9" },
    { "crlf", "python3: /bin/python3|/srv/crlf" },
    { "crlf2", "sh: /bin/sh|/srv/crlf2" },
    { "bom", "sh: /bin/sh|/srv/bom" },
    { "args", "perl: /bin/perl|-w -T|/srv/args" },
    { "no-newline", "sh: /bin/sh|/srv/no-newline" },
    { "empty-line", "/srv/empty-line: its #! line is empty" },
    { "gone", "#! line: /srv/gone: interpreter /usr/local/bin/python9: no such program" },
    { "bare", "node: /bin/node|/srv/bare" },
    { "run.cgi", "perl: /bin/perl|/srv/run.cgi" },
    /* by what it is */
    { "elf", "none: /srv/elf" },
    { "elf.bin", "none: /srv/elf.bin" },
    { "server-1.2", "none: /srv/server-1.2" },
    { "elf-noexec", "/srv/elf-noexec: is not executable" },
    { "macho", "none: /srv/macho" },
    { "fat", "none: /srv/fat" },
    { "exec", "none: /srv/exec" },
    { "secret", "none: /srv/secret" },
    /* nothing */
    { "text", "/srv/text: not executable and no known extension, and it has no #! line" },
    { "bom-only", "/srv/bom-only: not executable and no known extension, and it has no #! line" },
    { "a.txt",
      "/srv/a.txt: cannot tell what runs it: .txt is no known extension, no #! line, and it is no ELF or "
      "Mach-O program" },
    { "x.txt",
      "/srv/x.txt: cannot tell what runs it: .txt is no known extension, no #! line, and it is no ELF or "
      "Mach-O program" },
    { "empty", "/srv/empty: is empty" },
    { "secret.x", "/srv/secret.x: Permission denied" },
    { "dir", "dir: is a directory" },
    { "dir.js", "dir.js: is a directory" },
    { "fifo", "fifo: is not a regular file" },
    { "./nosuch.js", "./nosuch.js: No such file or directory (in /srv)" },
    { "nosuch.js",
      "nosuch.js: no such file in /srv, and no program of that name on PATH (searched /nowhere:/bin)" },
    { "loop", "loop: Too many levels of symbolic links (in /srv)" },
    { "", "the script's name is empty" },
};

TEST(by_the_rules)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct interp_query q = unix_query(rows[i].script);
        struct err e;
        check_row(i);
        own_text got = answer(&q, &e);
        check_text(got, rows[i].want);
    }
}

TEST(errors_have_a_next_step)
{
    static const struct {
        const char *script, *hint;
    } hints[] = {
        { "text", "chmod +x /srv/text, or name what runs it with --interpreter" },
        { "a.txt", "--interpreter none" },
        { "empty", "--interpreter" },
        { "elf-noexec", "chmod +x /srv/elf-noexec" },
        { "dir", "name the file in it" },
        { "npm start", "what stands behind it goes into args" },
        { "./a.sh -x", "what stands behind it goes into args" },
        { "env7", "install deno, or name another program with --interpreter" },
    };
    for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
        struct interp_query q = unix_query(hints[i].script);
        struct err e;
        check_row(i);
        own_text got = answer(&q, &e);
        check_contains(e.hint, hints[i].hint);
    }
}

static char *const two_args[] = { "-x", "a b", NULL };
static char *const inspect[] = { "--inspect", NULL };

static const struct {
    const char *script, *interpreter, *want;
    char *const *interpreter_args;
    const char *path;
} asked[] = {
    { "a.js", "bun", "/srv/a.js: interpreter bun is not on PATH (searched /nowhere:/bin)" },
    { "a.js", "python3", "python3: /bin/python3|/srv/a.js|-x|a b" },
    { "text", "sh", "sh: /bin/sh|/srv/text|-x|a b" },
    { "text", "/bin/sh", "sh: /bin/sh|/srv/text|-x|a b" },
    { "a.py", "./venv/bin/python", "python: /srv/venv/bin/python|/srv/a.py|-x|a b" },
    { "a.py", "./nosuch", "/srv/a.py: interpreter ./nosuch: no such program" },
    { "a.py", "/bin/noexec", "/srv/a.py: interpreter /bin/noexec: no such program" },
    { "npm", "node", "node: /bin/node|/bin/npm|-x|a b" },
    { "a.sh", "none", "none: /srv/a.sh|-x|a b" },
    { "a.js", "none", "/srv/a.js: is not executable" },
    { "dir", "node", "dir: is a directory" },
    { "a.js", NULL, "node: /bin/node|--inspect|/srv/a.js|-x|a b", inspect },
    { "env2", NULL, "node: /bin/node|--flag|a b|--inspect|/srv/env2|-x|a b", inspect },
    { "a.ts", NULL, "tsx: /bin/npx|tsx|--inspect|/srv/a.ts|-x|a b", inspect },
    { "elf", NULL, "/srv/elf: runs without an interpreter, so interpreter_args have no place", inspect },
    { "npm", NULL, "/bin/npm: runs without an interpreter, so interpreter_args have no place", inspect },
    { "a.py", NULL, "python: /old/python|/srv/a.py|-x|a b", NULL, "/old" },
    { "a.sh", NULL, "sh: /old/sh|/srv/a.sh|-x|a b", NULL, "/old" },
    { "a.py", NULL, "/srv/a.py: interpreter python3 is not on PATH (searched /nowhere)", NULL, "/nowhere" },
    { "a.ts", NULL, "/srv/a.ts: interpreter node is not on PATH (searched /old)", NULL, "/old" },
    { "npm", NULL, "none: /bin/npm|-x|a b", NULL, "/nowhere::../bin" },
    { "a.py", "python", "python: /srv/venv/bin/python|/srv/a.py|-x|a b", NULL, "venv/bin" },
    { "twice", NULL, "twice: no such file in /srv, and no program of that name on PATH (searched )", NULL,
      "" },
};

TEST(as_asked)
{
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct interp_query q = unix_query(asked[i].script);
        q.interpreter = asked[i].interpreter;
        q.interpreter_args = asked[i].interpreter_args;
        q.args = two_args;
        q.path = asked[i].path ? asked[i].path : q.path;
        struct err e;
        check_row(i);
        own_text got = answer(&q, &e);
        check_text(got, asked[i].want);
    }
}

/* A PATH can be as long as it likes; a message names whole folders of it. */
TEST(a_long_path_is_cut_between_folders)
{
    static const char *const wants[] = {
        "nosuch: no such file in /srv, and no program of that name on PATH (searched ",
        "/srv/a.js: interpreter nosuch is not on PATH (searched ",
    };
    own_buf path = { 0 };
    own_text longest = xasprintf("/%0300d:/bin:/usr/bin", 0);
    for (int i = 0; i < 40; i++)
        buf_addf(&path, "%s/opt/folder-%02d/bin", i ? ":" : "", i);
    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        struct interp_query q = unix_query(i ? "a.js" : "nosuch");
        struct err e;
        q.interpreter = i ? "nosuch" : NULL;
        q.path = path.data;
        check_row(i);
        own_text got = answer(&q, &e);
        check_contains(got, wants[i]);
        check_contains(got, "(searched /opt/folder-00/bin:/opt/folder-01/bin:");
        check_contains(got, "/opt/folder-09/bin:... and 30 more folders)");
        q.path = longest;
        own_text none = answer(&q, &e);
        check_contains(none, "(searched ... 3 folders)");
        longest[301] = '\0';
        own_text one = answer(&q, &e);
        check_contains(one, "(searched ... 1 folder)");
        longest[301] = ':';
    }
}

TEST(no_path_means_the_usual_one)
{
    struct interp_query q = unix_query("npm");
    q.path = NULL;
    struct err e;
    own_text got = answer(&q, &e);
    check_text(got, "none: /bin/npm");
}

TEST(windows)
{
    static const struct {
        const char *script, *interpreter, *want;
    } table[] = {
        { "a.js", NULL, "node: C:/bin/node.exe|C:/srv/a.js" },
        { "C:/srv/a.js", NULL, "node: C:/bin/node.exe|C:/srv/a.js" },
        { "./a.js", NULL, "node: C:/bin/node.exe|C:/srv/a.js" },
        { "a.py", NULL, "python: C:/py/python.exe|C:/srv/a.py" },
        { "a.ts", NULL, "tsx: C:/srv/node_modules/.bin/tsx.cmd|C:/srv/a.ts" },
        { "npm", NULL, "none: C:/bin/npm.cmd" },
        { "npm.cmd", NULL, "none: C:/bin/npm.cmd" },
        { "tool", NULL, "none: C:/srv/tool.exe" },
        { "./tool", NULL, "none: C:/srv/tool.exe" },
        { "tool.exe", NULL, "none: C:/srv/tool.exe" },
        { "script", NULL, "python: C:/py/python.exe|C:/srv/script" },
        { "script2", NULL, "node: C:/bin/node.exe|C:/srv/script2" },
        { "text", "node", "node: C:/bin/node.exe|C:/srv/text" },
        { "text", NULL, "C:/srv/text: not executable and no known extension, and it has no #! line" },
        { "a.js", "bun", "C:/srv/a.js: interpreter bun is not on PATH (searched C:/bin;C:/py)" },
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct interp_query q = {
            .script = table[i].script,
            .interpreter = table[i].interpreter,
            .cwd = "C:/srv",
            .path = "C:/bin;C:/py",
            .fs = &windows_fs,
            .rules = &interp_windows,
        };
        struct err e;
        check_row(i);
        own_text got = answer(&q, &e);
        check_text(got, table[i].want);
    }
}

/* ---- the real disk ---- */

TEST(real_disk)
{
    char dir[] = "/tmp/velos-interp-test-XXXXXX";
    check(mkdtemp(dir) != NULL);
    own_text target = path_join(dir, "target");
    own_text link = path_join(dir, "link");
    own_text dangling = path_join(dir, "dangling");
    own_text longest = path_join(dir, "longest");
    own_fd fd = open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    struct err e;
    check_int(file_write_all(fd, "#!/bin/sh\n", 10, &e), 0);
    check_int(symlink("target", link), 0);
    check_int(symlink("nowhere", dangling), 0);
    own_fd long_fd = open(longest, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    char block[8192];
    memset(block, 'x', sizeof(block));
    memcpy(block, "#!/bin/", 7);
    check_int(file_write_all(long_fd, block, sizeof(block), &e), 0);

    struct interp_query q = { .script = "link", .cwd = dir, .fs = &interp_disk, .rules = &interp_unix };
    own_text linked = answer(&q, &e);
    own_text want = xasprintf("sh: /bin/sh|%s", link); /* the name as it was given */
    check_text(linked, want);
    q.script = "./dangling";
    own_text nowhere = answer(&q, &e);
    check_contains(nowhere, "No such file");
    q.script = "longest";
    own_text refused = answer(&q, &e);
    check_contains(refused, "its #! line is too long");
    q.script = "/bin/sh";
    own_text program = answer(&q, &e);
    check_text(program, "none: /bin/sh");

    own_text remove = xasprintf("rm -r %s", dir);
    check_int(system(remove), 0);
}

UNIT_MAIN()
