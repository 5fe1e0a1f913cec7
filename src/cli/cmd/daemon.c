#include <unistd.h>

#include "cli/cli.h"
#include "proto/launch.h"

static int daemon_run(struct cli *c, struct err *e)
{
    own_text keeper = NULL;
    if (launch_prepare_home(c->home, e) < 0 || launch_find_keeper(&keeper, e) < 0)
        return -1;
    char *argv[] = { keeper, "--home", c->home, "--foreground", NULL };
    execv(keeper, argv);
    return err_sys(e, "execute %s", keeper);
}

const struct cmd cmd_daemon = {
    .name = "daemon",
    .usage = "daemon",
    .about = "Run the daemon in the foreground, as a service manager wants it.",
    .args = { .max = 0 },
    .run = daemon_run,
};
