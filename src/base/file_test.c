#include "base/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

TEST(absolute)
{
    static const struct {
        const char *base, *path, *want;
    } rows[] = {
        { "/srv", "a", "/srv/a" },    { "/srv", "./a/./b", "/srv/a/b" },
        { "/srv", "../a", "/a" },     { "/srv", "../../../a", "/a" },
        { "/srv", "/x//y/", "/x/y" }, { "/", ".", "/" },
        { "/srv/", "", "/srv" },      { "/a/b", "..", "/a" },
        { "/a", "..", "/" },          { "/a", "...", "/a/..." },
        { "/a", "..b", "/a/..b" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        own_text got = path_absolute(rows[i].base, rows[i].path);
        check_text(got, rows[i].want);
    }
}

/* `link/..` is the parent of where the link leads: it is left to the kernel. */
TEST(dotdot_after_a_link)
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        { "link/../a", "link/../a" }, { "link/../../a", "link/../../a" }, { "real/../a", "a" },
        { "none/../a", "a" },         { "real/../link/x", "link/x" },     { "link/inner/../a", "link/a" },
        { "./link/./..", "link/.." },
    };
    char dir[] = "/tmp/velos-file-XXXXXX";
    check(mkdtemp(dir) != NULL);
    own_text real = path_join(dir, "real");
    own_text inner = path_join(dir, "real/inner");
    own_text link = path_join(dir, "link");
    check_int(mkdir(real, 0700), 0);
    check_int(mkdir(inner, 0700), 0);
    check_int(symlink("real", link), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        own_text got = path_absolute(dir, rows[i].path);
        own_text want = path_join(dir, rows[i].want);
        check_text(got, want);
    }
    unlink(link);
    rmdir(inner);
    rmdir(real);
    rmdir(dir);
}

TEST(parts)
{
    static const struct {
        const char *path, *dir, *base, *ext;
    } rows[] = {
        { "/srv/a.js", "/srv", "a.js", ".js" },
        { "a.js", ".", "a.js", ".js" },
        { "/a", "/", "a", "" },
        { "/x.y/a", "/x.y", "a", "" },
        { ".bashrc", ".", ".bashrc", "" },
        { "a.tar.gz", ".", "a.tar.gz", ".gz" },
        { "a.", ".", "a.", "." },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        own_text dir = path_dir(rows[i].path);
        check_text(dir, rows[i].dir);
        check_text(path_base(rows[i].path), rows[i].base);
        check_text(path_ext(rows[i].path), rows[i].ext);
    }
}

TEST(join)
{
    own_text a = path_join("/srv", "x");
    own_text b = path_join("/srv/", "x");
    own_text c = path_join("/srv", "/x");
    check_text(a, "/srv/x");
    check_text(b, "/srv/x");
    check_text(c, "/x");
}

TEST(whole_files)
{
    char dir[] = "/tmp/velos-file-test-XXXXXX";
    struct err e;
    check(mkdtemp(dir) != NULL);
    own_text deep = path_join(dir, "a/b/c");
    own_text path = path_join(deep, "file");
    check_int(path_make_dirs(deep, 0700, &e), 0);
    check_int(path_make_dirs(deep, 0700, &e), 0);

    own_buf big = { 0 };
    for (int i = 0; i < 100000; i++)
        buf_addc(&big, (char)i);
    own_fd fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    check_int(file_write_all(fd, big.data, big.len, &e), 0);

    own_text text = NULL;
    size_t n = 0;
    check_int(file_read(path, big.len, &text, &n, &e), 0);
    check_int(n, big.len);
    check(memcmp(text, big.data, n) == 0 && text[n] == '\0');

    own_text none = NULL;
    check_int(file_read(path, big.len - 1, &none, &n, &e), -1);
    check_int(e.code, ERR_LIMIT);
    check_int(file_read(dir, 10, &none, &n, &e), -1);
    check_contains(e.text, "is a directory");
    own_text fifo = path_join(dir, "fifo");
    check_int(mkfifo(fifo, 0600), 0);
    check_int(file_read(fifo, 10, &none, &n, &e), -1); /* and at once */
    check_contains(e.text, "is a pipe");
    unlink(fifo);
    own_text empty = NULL;
    check_int(file_read("/dev/null", 10, &empty, &n, &e), 0);
    check_int(file_read("/tmp/velos-no-such-file", 10, &none, &n, &e), -1);
    check_contains(e.text, "No such file");

    own_text below = path_join(path, "x");
    check_int(path_make_dirs(below, 0700, &e), -1);
    own_text remove = xasprintf("rm -r %s", dir);
    check_int(system(remove), 0);
}

UNIT_MAIN()
