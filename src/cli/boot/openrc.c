/* OpenRC: a script in /etc/init.d, run under supervise-daemon. */
#include <unistd.h>

#include "cli/boot/boot.h"

static bool is_here(void)
{
    return access("/run/openrc", F_OK) == 0;
}

static char *path(const struct boot *b)
{
    own_text name = boot_unit_name(b);
    return xasprintf("/etc/init.d/%s", name);
}

static void add_word(struct buf *out, const char *text)
{
    buf_addc(out, '\'');
    for (; *text; text++)
        if (*text == '\'')
            buf_adds(out, "'\\''");
        else
            buf_addc(out, *text);
    buf_addc(out, '\'');
}

/* retry: supervise-daemon passes the signal on and waits as long as an app may take to stop (an hour at
 * most). */
static void text(const struct boot *b, struct buf *out)
{
    buf_addf(out,
             "#!/sbin/openrc-run\n"
             "# Written by `velos startup`; `velos unstartup` removes it.\n"
             "name=\"velos (%s)\"\n"
             "description=\"velos: starts programs and keeps them running\"\n"
             "supervisor=supervise-daemon\n"
             "command=",
             b->user);
    add_word(out, b->program);
    buf_adds(out, "\ncommand_args=\"daemon --resurrect\"\ncommand_user=");
    add_word(out, b->user);
    buf_adds(out, "\nexport VELOS_HOME=");
    add_word(out, b->home);
    buf_adds(out, "\n"
                  "respawn_delay=1\n"
                  "retry=\"TERM/3660\"\n"
                  "extra_started_commands=\"reload\"\n"
                  "\n"
                  "depend() {\n"
                  "    after net localmount\n"
                  "}\n"
                  "\n"
                  "reload() {\n"
                  "    ebegin \"Updating velos\"\n"
                  "    su -s /bin/sh \"$command_user\" -c \"exec $command update\"\n"
                  "    eend $?\n"
                  "}\n"
                  "\n"
                  "# A daemon that took the place of a killed velos-keeper is not supervise-daemon's child.\n"
                  "stop_post() {\n"
                  "    su -s /bin/sh \"$command_user\" -c \"exec $command kill\" >/dev/null 2>&1\n"
                  "    return 0\n"
                  "}\n");
}

static char **command(const struct boot *b, bool install, size_t n)
{
    own_text name = boot_unit_name(b);
    if (n > 0)
        return NULL;
    char **v = strv_add(NULL, "rc-update");
    if (*b->root)
        v = strv_add(strv_add(v, "-R"), b->root);
    v = strv_add(v, install ? "add" : "del");
    v = strv_add(v, name);
    return strv_add(v, "default");
}

static char *obstacle(const struct boot *b)
{
    return NULL;
}

const struct boot_kind boot_openrc = {
    .name = "openrc",
    .is_here = is_here,
    .path = path,
    .mode = 0755,
    .text = text,
    .command = command,
    .obstacle = obstacle,
};
