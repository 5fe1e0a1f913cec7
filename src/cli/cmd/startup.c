/* startup, unstartup: the machine starts the daemon, and that the saved apps. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/boot/boot.h"
#include "store/state_file.h"

static char *words_of(char *const *argv)
{
    own_buf b = { 0 };
    for (; *argv; argv++)
        buf_addf(&b, "%s%s", b.len ? " " : "", *argv);
    return buf_steal(&b);
}

static int run_program(char *const *argv, struct err *e)
{
    own_text line = words_of(argv);
    int status;
    out_note("%s", line);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execvp(argv[0], argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return err_sys(e, "%s", line);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(e, ERR_FAILED, "%s: no such program", argv[0]);
    return status ? err_set(e, ERR_FAILED, "%s: failed", line) : 0;
}

static int run_commands(const struct boot *b, bool install, struct err *e)
{
    int r = 0;
    for (size_t n = 0; r == 0; n++) {
        own_strv argv = b->kind->command(b, install, n);
        if (!argv)
            break;
        r = run_program(argv, e);
    }
    return r;
}

/* 1: written; 0: it is that already. */
static int write_file(const struct boot *b, const char *path, const struct buf *text, struct err *e)
{
    own_text before = NULL;
    own_text dir = path_dir(path);
    own_text fresh = xasprintf("%s.new", path);
    struct err none;
    if (file_read(path, 1 << 20, &before, NULL, &none) == 0 && strcmp(before, text->data) == 0)
        return 0;
    if (path_make_dirs(dir, 0755, e) < 0)
        return -1;
    own_fd fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, b->kind->mode);
    if (fd < 0 || file_write_all(fd, text->data, text->len, e) < 0 || fchmod(fd, b->kind->mode) < 0 ||
        fsync(fd) < 0 || rename(fresh, path) < 0)
        return err_sys(e, "write %s", path);
    return 1;
}

/* 0: may go on. A unit of the machine is root's to write. */
static int check_rights(const struct cli *c, const struct boot *b, struct err *e)
{
    if (b->own || *b->root || geteuid() == 0)
        return 0;
    err_set(e, ERR_DENIED, "a service of the machine is root's to change");
    return err_hint(e, "sudo env VELOS_HOME=%s %s %s --for %s%s", b->home, b->program, c->cmd->name, b->user,
                    b->kind->has_own ? "; or, without root: --user" : "");
}

static void tell_what_is_missing(const struct boot *b)
{
    own_text saved = path_join(b->home, STATE_FILE);
    own_text obstacle = b->kind->obstacle(b);
    if (obstacle && !*b->root)
        out_note("%s", obstacle);
    if (access(saved, F_OK) < 0 && !*b->root)
        out_note("nothing is saved yet: `velos save` writes the list that is started at boot");
}

static int install(const struct cli *c, const struct boot *b, struct err *e)
{
    own_buf text = { 0 };
    own_text path = boot_path(b);
    b->kind->text(b, &text);
    if (args_has(&c->args, "print")) {
        out_note("%s", path);
        return out_write(&text, e);
    }
    if (check_rights(c, b, e) < 0)
        return -1;
    int written = write_file(b, path, &text, e);
    if (written < 0)
        return -1;
    own_buf line = { 0 };
    buf_addf(&line, "%s: %s\n", path, written ? "written" : "there already");
    if (out_write(&line, e) < 0 || run_commands(b, true, e) < 0)
        return -1;
    tell_what_is_missing(b);
    return 0;
}

static int uninstall(const struct cli *c, const struct boot *b, struct err *e)
{
    own_text path = boot_path(b);
    own_buf line = { 0 };
    if (access(path, F_OK) < 0) {
        buf_addf(&line, "%s: not there\n", path);
        return out_write(&line, e);
    }
    if (check_rights(c, b, e) < 0)
        return -1;
    struct err first;
    int failed = run_commands(b, false, &first); /* whatever it says, the file goes */
    if (unlink(path) < 0)
        return err_sys(e, "remove %s", path);
    buf_addf(&line, "%s: removed\n", path);
    if (failed)
        out_note("%s", first.text);
    return out_write(&line, e);
}

static int with_boot(struct cli *c, int (*act)(const struct cli *c, const struct boot *b, struct err *e),
                     struct err *e)
{
    struct boot b;
    int status = boot_init(&b, c, e);
    if (status == 0)
        status = args_has(&c->args, "check") ? boot_check(c, &b, e) : act(c, &b, e);
    boot_done(&b);
    return status;
}

static int startup_run(struct cli *c, struct err *e)
{
    return with_boot(c, install, e);
}

static int unstartup_run(struct cli *c, struct err *e)
{
    return with_boot(c, uninstall, e);
}

#define BOOT_OPTS                                                                                            \
    { 0, "user", OPT_FLAG, "A service of your own (systemd --user, LaunchAgents): no root is needed." },     \
        { 0, "for", OPT_TEXT, "Whose apps: as root, for another user.", "USER" },                            \
        { 0, "init", OPT_TEXT, "systemd, openrc or launchd. Default: what has started this machine.",        \
          "NAME" },                                                                                          \
    {                                                                                                        \
        0, "root", OPT_TEXT, "The file system of an image: nothing of this machine is touched.", "DIR"       \
    }

const struct cmd cmd_startup = {
    .name = "startup",
    .usage = "startup [--user] [--print | --check]",
    .about = "Have the machine start the daemon, and the saved apps with it.",
    .more = "Writes the service's file, tells the service manager of it, and says both. It may be repeated. "
            "The daemon\n"
            "that runs now is left alone.",
    .args = { .max = 0 },
    .opts =
        (const struct opt[]){
            BOOT_OPTS,
            { 0, "print", OPT_FLAG, "Show the file, touch nothing." },
            { 0, "check", OPT_FLAG,
              "A dry boot in a copy of the home: is the daemon ready, is the list whole, are all "
              "programs there? 1 if not." },
            { 0 } },
    .run = startup_run,
};

const struct cmd cmd_unstartup = {
    .name = "unstartup",
    .usage = "unstartup [--user]",
    .about = "Take back what startup did.",
    .args = { .max = 0 },
    .opts = (const struct opt[]){ BOOT_OPTS, { 0 } },
    .run = unstartup_run,
};
