#include "cli/boot/boot.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "os/account.h"
#include "os/self.h"

const struct boot_kind *const boot_kinds[] = { &boot_systemd, &boot_openrc, &boot_launchd, NULL };

static int find_kind(const char *name, const struct boot_kind **out, struct err *e)
{
    for (const struct boot_kind *const *k = boot_kinds; *k; k++)
        if (name ? strcmp((*k)->name, name) == 0 : (*k)->is_here()) {
            *out = *k;
            return 0;
        }
    if (name)
        err_set(e, ERR_USAGE, "--init %s: expected systemd, openrc or launchd", name);
    else
        err_set(e, ERR_FAILED, "neither systemd, OpenRC nor launchd started this machine");
    return name ? -1 : err_hint(e, "--init NAME says what will; --print shows its file");
}

static int find_user(struct boot *b, const char *name, struct err *e)
{
    struct account a;
    if (name ? account_named(name, &a) < 0 : account_of(geteuid(), &a) < 0)
        return err_set(e, ERR_USAGE, "no user `%s`", name ? name : "of this id");
    const char *dir = getenv("HOME");
    bool theirs = name && a.uid != geteuid();
    b->user = xstrdup(a.name);
    b->user_dir = xstrdup(!theirs && dir && dir[0] == '/' ? dir : a.dir);
    b->home = theirs && !getenv("VELOS_HOME") ? path_join(a.dir, ".velos") : client_home();
    account_done(&a);
    return 0;
}

int boot_init(struct boot *b, const struct cli *c, struct err *e)
{
    *b = (struct boot){ .own = args_has(&c->args, "user"), .root = args_text(&c->args, "root", "") };
    if (find_kind(args_text(&c->args, "init", NULL), &b->kind, e) < 0 ||
        find_user(b, args_text(&c->args, "for", NULL), e) < 0)
        return -1;
    b->program = os_self_path();
    if (!b->program)
        return err_set(e, ERR_FAILED, "this system does not tell where velos is");
    if (b->own && !b->kind->has_own)
        return err_set(e, ERR_USAGE, "--user: %s knows no services of users", b->kind->name);
    return 0;
}

void boot_done(struct boot *b)
{
    free(b->user);
    free(b->user_dir);
    free(b->home);
    free(b->program);
}

char *boot_path(const struct boot *b)
{
    own_text path = b->kind->path(b);
    return xasprintf("%s%s", b->root, path);
}

char *boot_unit_name(const struct boot *b)
{
    return b->own || strcmp(b->user, "root") == 0 ? xstrdup("velos") : xasprintf("velos-%s", b->user);
}

char **boot_environ(const struct boot *b)
{
    char **env = strv_add(NULL, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    env = strv_take(env, xasprintf("HOME=%s", b->user_dir));
    env = strv_take(env, xasprintf("USER=%s", b->user));
    env = strv_take(env, xasprintf("LOGNAME=%s", b->user));
    return strv_take(env, xasprintf("VELOS_HOME=%s", b->home));
}
