#include "app/strays.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"
#include "os/sock.h"

static const struct instance owner = { .id = 7, .pid = 100 };

TEST(who_left_session_and_group_is_remembered)
{
    static const struct {
        struct proc_info p;
        int64_t owner;
    } rows[] = {
        { { .pid = 100, .session = 1, .pgrp = 1, .start = 5 }, -1 }, /* the main process itself */
        { { .pid = 101, .session = 100, .pgrp = 101, .start = 5 }, -1 },
        { { .pid = 102, .session = 1, .pgrp = 100, .start = 5 }, -1 },
        { { .pid = 103, .session = 103, .pgrp = 103, .start = 5 }, 7 },
    };
    struct strays s = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        strays_note(&s, &rows[i].p, &owner);
        check_int(strays_owner(&s, &rows[i].p), rows[i].owner);
    }
    struct proc_info other = { .pid = 103, .session = 103, .pgrp = 103, .start = 6 };
    check_int(strays_owner(&s, &other), -1); /* the number was given anew */
    strays_done(&s);
}

TEST(who_is_not_seen_again_is_forgotten)
{
    struct strays s = { 0 };
    struct proc_info a = { .pid = 201, .start = 1 }, b = { .pid = 202, .start = 1 };
    strays_note(&s, &a, &owner);
    strays_note(&s, &b, &owner);
    strays_seen_all(&s);
    strays_note(&s, &b, &owner);
    strays_seen_all(&s);
    check_int(strays_owner(&s, &a), -1);
    check_int(strays_owner(&s, &b), 7);
    check_int(s.by_pid.len, 1);
    strays_done(&s);
}

/* Children in sessions of their own, each written to when it is there. */
TEST(a_look_has_a_bound)
{
    enum { CHILDREN = 300, MOST = 256 };
    struct world w = { 0 };
    struct app_spec spec = { .treekill = true };
    struct app a = { .world = &w, .spec = &spec };
    struct instance in = { .app = &a, .id = 7, .pid = getpid() };
    pid_t pids[CHILDREN];
    int ends[2];
    char c;
    check_int(os_pipe(ends), 0);
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            setsid();
            if (write(ends[1], "x", 1) == 1)
                pause();
            _exit(0);
        }
        check_int(read(ends[0], &c, 1), 1);
    }
    strays_look(&in);
    check_int(w.strays.by_pid.len, MOST);
    for (int i = 0; i < CHILDREN; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    strays_done(&w.strays);
    close(ends[0]);
    close(ends[1]);
}

UNIT_MAIN()
