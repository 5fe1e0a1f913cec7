#include <unistd.h>

#include "cli/settings.h"
#include "proto/launch.h"

/* The keeper would say so too, but in its log's form. */
static int refuse_second(const char *home, struct err *e)
{
    if (!launch_is_taken(home))
        return 0;
    err_set(e, ERR_EXISTS, "a daemon runs on %s already", home);
    return err_hint(e, "velos kill stops it; another VELOS_HOME has a daemon of its own");
}

static int daemon_run(struct cli *c, struct err *e)
{
    own_text keeper = NULL;
    if (launch_prepare_home(c->home, e) < 0 || launch_find_keeper(&keeper, e) < 0 ||
        refuse_second(c->home, e) < 0)
        return -1;
    own_text settings = settings_json_all_the_same(c->home);
    char *argv[8] = { keeper, "--home", c->home, "--foreground" };
    size_t n = 4;
    if (args_has(&c->args, "resurrect"))
        argv[n++] = "--resurrect";
    if (*settings) {
        argv[n++] = "--settings";
        argv[n++] = settings;
    }
    execv(keeper, argv);
    return err_sys(e, "execute %s", keeper);
}

const struct cmd cmd_daemon = {
    .name = "daemon",
    .usage = "daemon [--resurrect]",
    .about = "Run the daemon in the foreground, as a service manager wants it.",
    .more = "It tells the service manager when it is ready ($NOTIFY_SOCKET, as sd_notify(3) has it). velos "
            "startup makes\n"
            "the machine run it at boot.",
    .args = { .max = 0 },
    .opts = (const struct opt[]){ { 0, "resurrect", OPT_FLAG, "Start the saved apps (velos save)." }, { 0 } },
    .run = daemon_run,
};
