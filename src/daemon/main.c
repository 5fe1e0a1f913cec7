#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/daemon.h"
#include "os/exec.h"
#include "os/layout.h"
#include "os/spawn.h"

static int usage(void)
{
    fprintf(stderr, "usage: velosd --home DIR --keeper-fd N [--ready-fd N] [--nofile N]\n"
                    "hint: velos-keeper starts it; to run the daemon in the foreground use `velos daemon`\n");
    return 2;
}

/* Out of the low numbers, which os_spawn() needs; and close-on-exec. */
static void lift(int *fd)
{
    int high = *fd < 0 ? -1 : fcntl(*fd, F_DUPFD_CLOEXEC, 32);
    if (high < 0)
        return;
    close(*fd);
    *fd = high;
}

static int run(int argc, char **argv)
{
    struct daemon_options o = { .keeper_fd = -1, .ready_fd = -1 };
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--home") == 0)
            o.home = argv[i + 1];
        else if (strcmp(argv[i], "--keeper-fd") == 0)
            o.keeper_fd = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--ready-fd") == 0)
            o.ready_fd = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--nofile") == 0)
            o.nofile = atol(argv[i + 1]);
        else if (strcmp(argv[i], "--trial") == 0)
            o.trial = true;
        else if (strcmp(argv[i], "--update-failed") == 0)
            o.update_failed = argv[i + 1]; /* what else there is, a later keeper says */
    }
    if (!o.home || o.keeper_fd < 0)
        return usage();
    os_exec_name("velosd");
    log_open("velosd", getenv("VELOS_DEBUG") ? LOG_DEBUG : LOG_INFO);
    lift(&o.keeper_fd);
    lift(&o.ready_fd);
    json_init();
    if (os_spawn_init() < 0)
        log_error("descriptors for spawning: %s", strerror(errno));
    return daemon_run(&o);
}

int main(int argc, char **argv)
{
    os_text_split(); /* before anything of ours is touched */
    return run(argc, argv);
}
