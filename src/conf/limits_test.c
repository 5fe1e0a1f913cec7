#include "conf/limits.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unit.h"

static const struct {
    const char *json;
    const char *problem; /* NULL: none */
} rows[] = {
    { "{}", NULL },
    { "{\"nofile\":[1024,4096],\"core\":0,\"fsize\":-1,\"priority\":-20}", NULL },
    { "{\"of a later version\":[1,2]}", NULL },
    { "[]", "limits: an object" },
    { "{\"nofile\":\"1024\"}", "limits: nofile: " },
    { "{\"nofile\":-2}", "limits: nofile: " },
    { "{\"nofile\":[1]}", "limits: nofile: " },
    { "{\"nofile\":[1,2,3]}", "limits: nofile: " },
    { "{\"nofile\":[1,null]}", "limits: nofile: " },
    { "{\"nofile\":1.5}", "limits: nofile: " },
    { "{\"priority\":20}", "limits: priority: " },
    { "{\"priority\":[1,2]}", "limits: priority: " },
};

TEST(what_a_client_may_say)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        own_json o = json_loads(rows[i].json, 0, NULL);
        own_text text = NULL;
        struct err e;
        check_row(i);
        check_int(limits_take(o, &text, &e), rows[i].problem ? -1 : 0);
        if (rows[i].problem)
            check_contains(e.text, rows[i].problem);
        else
            check_text(text, rows[i].json);
    }
}

TEST(none_are_none)
{
    own_text text = NULL;
    struct os_limits l;
    struct err e;
    check_int(limits_take(NULL, &text, &e), 0);
    check(text == NULL);
    limits_read(text, &l);
    check(!l.has_priority && !l.of[os_limit_nofile()].set);
}

TEST(ours_there_and_back)
{
    struct os_limits ours, same;
    own_buf text = { 0 };
    struct json_out j = JSON_OUT(&text);
    os_limits_read(&ours);
    limits_write(&j, NULL, &ours);
    limits_read(text.data, &same);
    check_int(same.priority, ours.priority);
    for (size_t i = 0; i < os_limits_len(); i++) {
        check_row(i);
        check_int(same.of[i].set, ours.of[i].set);
        check_int(same.of[i].soft, ours.of[i].soft);
        check_int(same.of[i].hard, ours.of[i].hard);
    }
}

/* As its child has them. */
static void check_applied(const char *text, int64_t soft, int64_t hard, bool as_we_are)
{
    struct os_limits l;
    struct rlimit now;
    int status;
    limits_read(text, &l);
    pid_t pid = fork();
    if (pid == 0) {
        if (!as_we_are && geteuid() == 0 && setuid(54321) < 0)
            _exit(2);
        os_limits_apply(&l);
        getrlimit(RLIMIT_CORE, &now);
        _exit((int64_t)now.rlim_cur != soft || (int64_t)now.rlim_max != hard);
    }
    check_int(waitpid(pid, &status, 0), pid);
    check_int(status, 0);
}

TEST(up_to_what_we_may_give)
{
    const struct rlimit lower = { 1000, 2000 };
    check_int(setrlimit(RLIMIT_CORE, &lower), 0);
    check_applied("{\"core\":[5,10]}", 5, 10, false);
    check_applied("{\"core\":[5,3000]}", 5, 2000, false);
    check_applied("{\"core\":-1}", 2000, 2000, false);
    check_applied("{\"core\":[1500,1700]}", 1500, 1700, false);
    if (os_may_raise_limits())
        check_applied("{\"core\":[2500,3000]}", 2500, 3000, true);
}

TEST(the_systems)
{
    struct os_limits l;
    os_limits_of_system(&l);
    if (access("/proc/1/limits", R_OK) < 0)
        return;
    for (size_t i = 0; i < os_limits_len(); i++) {
        check_row(i);
        check(l.of[i].set);
        check(l.of[i].hard == OS_LIMIT_NONE || l.of[i].soft <= l.of[i].hard);
    }
}

UNIT_MAIN()
