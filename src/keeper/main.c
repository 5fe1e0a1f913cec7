#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "keeper/keeper.h"
#include "os/exec.h"

static int usage(void)
{
    fprintf(stderr,
            "usage: velos-keeper --home DIR [--foreground] [--resurrect] [--settings JSON] [--ready-fd N]"
            " [--resume-fd N] [--nofile N] [--velosd PID [--velosd-fd N]]\n"
            "hint: velos starts it; to run the daemon in the foreground use `velos daemon`\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct keeper_options o = { .ready_fd = -1, .resume_fd = -1, .velosd_fd = -1 };
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--foreground") == 0)
            o.foreground = true;
        else if (strcmp(argv[i], "--resurrect") == 0)
            o.resurrect = true;
        else if (more && strcmp(argv[i], "--settings") == 0)
            o.settings = argv[++i];
        else if (more && strcmp(argv[i], "--home") == 0)
            o.home = argv[++i];
        else if (more && strcmp(argv[i], "--ready-fd") == 0)
            o.ready_fd = atoi(argv[++i]);
        else if (more && strcmp(argv[i], "--resume-fd") == 0)
            o.resume_fd = atoi(argv[++i]);
        else if (more && strcmp(argv[i], "--nofile") == 0)
            o.nofile = atol(argv[++i]);
        else if (more && strcmp(argv[i], "--velosd") == 0)
            o.velosd = (pid_t)atol(argv[++i]);
        else if (more && strcmp(argv[i], "--velosd-fd") == 0)
            o.velosd_fd = atoi(argv[++i]);
        else if (o.resume_fd < 0) /* else of another version of ours, which knows more */
            return usage();
    }
    if (!o.home)
        return usage();
    os_exec_name("velos-keeper");
    log_open("velos-keeper", LOG_INFO);
    return keeper_run(&o);
}
