/* launchd: a property list in /Library/LaunchDaemons, or in the user's LaunchAgents (which start at log-in).
 * Written after launchd.plist(5); it has not run on a Mac yet. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/boot/boot.h"

static bool is_here(void)
{
    return access("/sbin/launchd", X_OK) == 0;
}

static char *path(const struct boot *b)
{
    own_text name = boot_unit_name(b);
    return b->own ? xasprintf("%s/Library/LaunchAgents/%s.plist", b->user_dir, name)
                  : xasprintf("/Library/LaunchDaemons/%s.plist", name);
}

static void add_string(struct buf *out, const char *indent, const char *text)
{
    buf_addf(out, "%s<string>", indent);
    for (; *text; text++)
        if (*text == '&')
            buf_adds(out, "&amp;");
        else if (*text == '<')
            buf_adds(out, "&lt;");
        else
            buf_addc(out, *text);
    buf_adds(out, "</string>\n");
}

static void add_key(struct buf *out, const char *key, const char *text)
{
    buf_addf(out, "    <key>%s</key>\n", key);
    add_string(out, "    ", text);
}

/* AbandonProcessGroup: when the keeper dies velosd takes its place; launchd must not end what is left
 * meanwhile. */
static void text(const struct boot *b, struct buf *out)
{
    own_text name = boot_unit_name(b);
    own_text log = path_join(b->home, PROTO_LOG);
    buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
                  "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
                  "<!-- Written by `velos startup`; `velos unstartup` removes it. -->\n"
                  "<plist version=\"1.0\">\n<dict>\n");
    add_key(out, "Label", name);
    buf_adds(out, "    <key>ProgramArguments</key>\n    <array>\n");
    add_string(out, "        ", b->program);
    add_string(out, "        ", "daemon");
    add_string(out, "        ", "--resurrect");
    buf_adds(
        out,
        "    </array>\n    <key>EnvironmentVariables</key>\n    <dict>\n        <key>VELOS_HOME</key>\n");
    add_string(out, "        ", b->home);
    buf_adds(out, "    </dict>\n");
    if (!b->own)
        add_key(out, "UserName", b->user);
    add_key(out, "StandardErrorPath", log);
    buf_adds(out, "    <key>RunAtLoad</key>\n    <true/>\n"
                  "    <key>KeepAlive</key>\n    <dict>\n        <key>SuccessfulExit</key>\n        "
                  "<false/>\n    </dict>\n"
                  "    <key>AbandonProcessGroup</key>\n    <true/>\n"
                  "    <key>ExitTimeOut</key>\n    <integer>3660</integer>\n"
                  "</dict>\n</plist>\n");
}

static char **command(const struct boot *b, bool install, size_t n)
{
    own_text file = boot_path(b);
    if (n > 0 || *b->root)
        return NULL;
    char **v = strv_add(NULL, "launchctl");
    v = strv_add(v, install ? "bootstrap" : "bootout");
    v = strv_take(v, b->own ? xasprintf("gui/%d", (int)getuid()) : xstrdup("system"));
    return strv_add(v, file);
}

static char *obstacle(const struct boot *b)
{
    return b->own ? xstrdup("agents start when the user logs in, not at boot: without --user it is a daemon "
                            "of the machine")
                  : NULL;
}

const struct boot_kind boot_launchd = {
    .name = "launchd",
    .has_own = true,
    .is_here = is_here,
    .path = path,
    .mode = 0644,
    .text = text,
    .command = command,
    .obstacle = obstacle,
};
