#include "logs/target.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"

/* In a folder of its own: DIR stands for it, real/ is in it, with a file, and folder leads there. */
static const struct {
    const char *name, *links_to; /* NULL: no link is made */
    const char *want;            /* NULL: the name itself */
} rows[] = {
    { "x.log", NULL, NULL },
    { "real/file", NULL, NULL },
    { "folder/file", NULL, NULL }, /* only the last name matters: a rename stays within its folder */
    { "to-file", "real/file", "DIR/real/file" },
    { "absolute", "DIR/real/file", "DIR/real/file" },
    { "twice", "to-file", "DIR/real/file" },
    { "by-folder", "folder/file", "DIR/real/file" },
    { "folder/up", "../real/./file", "DIR/real/file" },
    { "not-yet", "real/later", "DIR/real/later" },
    { "no-folder", "none/later", "DIR/none/later" },
    { "loop", "loop", NULL },
    { "to-loop", "loop", NULL },
    { "device", "/dev/null", "/dev/null" },
    { "pipe", "/proc/self/fd/0", "/dev/fd/0" }, /* never what is behind it, be it a file */
    { "stdout", "/dev/stdout", "/dev/stdout" },
    { "stdout-twice", "stdout", "/dev/stdout" },
    { "stdout-by-number", "/dev/fd/1", "/dev/stdout" },
    { "stdout-of-proc", "/proc/self/fd/1", "/dev/stdout" },
    { "stdout-of-thread", "/proc/thread-self/fd/1", "/dev/stdout" },
    { "stdout-by-dots", "../../dev/./stdout", "/dev/stdout" },
    { "stderr", "../../proc/self/fd/2", "/dev/stderr" },
    { "by-linked-folder", "fds/1", "/dev/stdout" },
};

TEST(descriptors)
{
    check_int(target_fd("/dev/stdout"), 1);
    check_int(target_fd("/dev/stderr"), 2);
    check_int(target_fd("/proc/self/fd/17"), 17);
    check_int(target_fd("/dev/fd/x"), TARGET_NO_FD);
    check_int(target_fd("/dev/fd/1/2"), TARGET_NO_FD);
    check_int(target_fd("/dev/null"), TARGET_NO_FD);
    check_int(target_fd("/tmp"), TARGET_NO_FD);
    check(target_is_borrowed("/dev/stdout"));
    check(target_is_borrowed("/proc/1/fd/1"));
    check(!target_is_borrowed("/dev/null"));
    check(!target_is_borrowed("/process.log"));
}

TEST(targets)
{
    char dir[] = "/tmp/velos-target-XXXXXX";
    check(mkdtemp(dir));
    own_text make =
        xasprintf("cd %s && mkdir real && : >real/file && ln -s real folder && ln -s /proc/self/fd fds", dir);
    check_int(system(make), 0);
    int fds[2];
    check_int(pipe(fds), 0);
    check_int(dup2(fds[0], 0), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        own_text path = path_join(dir, rows[i].name);
        check_row(i);
        if (rows[i].links_to) {
            bool inside = text_starts(rows[i].links_to, "DIR");
            own_text to = xasprintf("%s%s", inside ? dir : "", rows[i].links_to + (inside ? 3 : 0));
            check_int(symlink(to, path), 0);
        }
        bool inside = rows[i].want && text_starts(rows[i].want, "DIR");
        own_text want =
            xasprintf("%s%s", inside ? dir : "", rows[i].want ? rows[i].want + (inside ? 3 : 0) : path);
        own_text got = target_of(path);
        check_text(got, want);
    }
    own_text remove = xasprintf("rm -rf %s", dir);
    check_int(system(remove), 0);
}

UNIT_MAIN()
