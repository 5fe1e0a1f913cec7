/* systemd: a unit of the machine, or of the user's own manager. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/boot/boot.h"

static bool is_here(void)
{
    return access("/run/systemd/system", F_OK) == 0;
}

static char *path(const struct boot *b)
{
    own_text name = boot_unit_name(b);
    const char *config = getenv("XDG_CONFIG_HOME");
    if (!b->own)
        return xasprintf("/etc/systemd/system/%s.service", name);
    own_text base = config && config[0] == '/' ? xstrdup(config) : path_join(b->user_dir, ".config");
    return xasprintf("%s/systemd/user/%s.service", base, name);
}

/* A word of a unit file: % and quotes have a meaning there. */
static void add_word(struct buf *out, const char *lead, const char *text)
{
    buf_addf(out, "\"%s", lead);
    for (; *text; text++) {
        if (*text == '%')
            buf_addc(out, '%');
        if (*text == '"' || *text == '\\')
            buf_addc(out, '\\');
        buf_addc(out, *text);
    }
    buf_addc(out, '"');
}

/* NotifyAccess=main: apps are processes of this service too, of any user, and must not speak in its name
 * ("WATCHDOG=trigger" ends it, "MAINPID=" takes it over). The keeper is the main process. ExitType=cgroup:
 * when it dies velosd takes its place, and systemd must not take that for the end, and the apps with it; it
 * knows no main process from then on, so a stop is ExecStop's. OOMPolicy=continue: an app that is killed for
 * its memory is velos's to start again. KillMode=mixed: the keeper alone has a signal, and the apps end on
 * their own stop path; velosd asks for the time that takes. No PATH and no interpreter: each app has the
 * environment it was started with. */
static void text(const struct boot *b, struct buf *out)
{
    buf_addf(out,
             "# Written by `velos startup`; `velos unstartup` removes it.\n"
             "[Unit]\n"
             "Description=velos: starts programs and keeps them running (%s)\n"
             "Documentation=man:velos(1)\n",
             b->user);
    if (!b->own)
        buf_adds(out, "Wants=network-online.target\nAfter=network-online.target\n");
    buf_adds(out, "\n[Service]\nType=notify\nNotifyAccess=main\n");
    if (!b->own)
        buf_addf(out, "User=%s\n", b->user);
    buf_adds(out, "Environment=");
    add_word(out, "VELOS_HOME=", b->home);
    buf_adds(out, "\nExecStart=");
    add_word(out, "", b->program);
    buf_adds(out, " daemon --resurrect\nExecReload=");
    add_word(out, "", b->program);
    buf_adds(out, " update\nExecStop=");
    add_word(out, "", b->program);
    buf_adds(out, " kill\n"
                  "Restart=on-failure\n"
                  "RestartSec=1\n"
                  "ExitType=cgroup\n"
                  "KillMode=mixed\n"
                  "Delegate=yes\n"
                  "OOMPolicy=continue\n"
                  "TasksMax=infinity\n"
                  "\n[Install]\n");
    buf_addf(out, "WantedBy=%s\n", b->own ? "default.target" : "multi-user.target");
}

static char **command(const struct boot *b, bool install, size_t n)
{
    own_text name = boot_unit_name(b);
    char **v = strv_add(NULL, "systemctl");
    if (*b->root)
        v = strv_take(v, xasprintf("--root=%s", b->root));
    if (b->own)
        v = strv_add(v, *b->root ? "--global" : "--user");
    bool reload = !*b->root && (install ? n == 0 : n == 1); /* an image has no manager that runs */
    if (n > (*b->root ? 0 : 1))
        return strv_free(v);
    if (reload)
        return strv_add(v, "daemon-reload");
    v = strv_add(v, install ? "enable" : "disable");
    return strv_take(v, xasprintf("%s.service", name));
}

/* Without linger the user's manager ends when the user logs out, and starts when they log in. */
static char *obstacle(const struct boot *b)
{
    own_text linger = xasprintf("/var/lib/systemd/linger/%s", b->user);
    if (!b->own || access(linger, F_OK) == 0)
        return NULL;
    return xasprintf("%s's services end with the last session and do not start at boot: `loginctl "
                     "enable-linger %s` changes "
                     "that",
                     b->user, b->user);
}

const struct boot_kind boot_systemd = {
    .name = "systemd",
    .has_own = true,
    .is_here = is_here,
    .path = path,
    .mode = 0644,
    .text = text,
    .command = command,
    .obstacle = obstacle,
};
