#include "app/environ.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/unit.h"

static struct app_spec *spec_with_env(char **env)
{
    struct app_spec *s = app_spec_new();
    s->name = xstrdup("api");
    s->env = strv_copy(env);
    return s;
}

TEST(last_wins_and_velos_names_are_ours)
{
    struct link pool;
    bool made;
    struct err e;
    own_buf text = { 0 };
    list_init(&pool);
    char *caller[] = { "PATH=/bin",        "A=1",  "B=1", "VELOS_ID=99", "NODE_CHANNEL_FD=3",
                       "NOTIFY_SOCKET=/x", "junk", "A=2", NULL };
    environ_filter(caller, &(struct inherit_env){ .all = true }, &text);
    struct environ_blob *base = environ_intern(&pool, text.data, text.len, &made);
    check(made);
    own_app_spec spec = spec_with_env((char *[]){ "B=2", "C=3", NULL });
    struct environ_query q = { .spec = spec, .base = base, .home = "/h", .mark = "m-4", .id = 4, .index = 1 };
    struct environ env = { 0 };
    check_int(environ_build(&q, &env, &e), 0);
    check_text(environ_get(&env, "PATH"), "/bin");
    check_text(environ_get(&env, "A"), "2"); /* it came twice */
    check_int(env.all.n, 9);
    check_text(environ_get(&env, "B"), "2");
    check_text(environ_get(&env, "C"), "3");
    check_text(environ_get(&env, "VELOS_ID"), "4");
    check_text(environ_get(&env, "VELOS_NAME"), "api");
    check_text(environ_get(&env, "VELOS_INSTANCE"), "m-4");
    check_text(environ_get(&env, "NODE_APP_INSTANCE"), "1");
    check(!environ_get(&env, "NODE_CHANNEL_FD"));
    check(!environ_get(&env, "NOTIFY_SOCKET"));
    environ_set(&env, "C", "4");
    check_text(environ_get(&env, "C"), "4");
    check_int(env.all.n, 9);
    environ_done(&env);
    check(environ_unref(base));
}

TEST(a_users_names_stand_behind_what_the_app_sets)
{
    struct err e;
    own_app_spec spec = spec_with_env((char *[]){ "HOME=/srv/api", NULL });
    struct passwd user = { .pw_name = "api", .pw_dir = "/home/api", .pw_shell = "/bin/sh" };
    struct environ_query q = { .spec = spec, .home = "/h", .mark = "m-4", .user = &user };
    struct environ env = { 0 };
    check_int(environ_build(&q, &env, &e), 0);
    check_text(environ_get(&env, "HOME"), "/srv/api");
    check_text(environ_get(&env, "USER"), "api");
    check_text(environ_get(&env, "LOGNAME"), "api");
    check_text(environ_get(&env, "SHELL"), "/bin/sh");
    environ_done(&env);
}

TEST(only_the_names_asked_for)
{
    own_buf text = { 0 };
    char *caller[] = { "PATH=/bin", "PATHS=no", "HOME=/root", "SECRET=x", NULL };
    char *names[] = { "PATH", "HOME", NULL };
    environ_filter(caller, &(struct inherit_env){ .names = names }, &text);
    check_int(text.len, strlen("PATH=/bin") + 1 + strlen("HOME=/root") + 1);
    check_text(text.data, "PATH=/bin");
}

TEST(one_shell_is_kept_once)
{
    struct link pool;
    bool made;
    list_init(&pool);
    struct environ_blob *a = environ_intern(&pool, "A=1\0", 4, &made);
    check(made);
    struct environ_blob *b = environ_intern(&pool, "A=1\0", 4, &made);
    check(!made);
    check(a == b);
    struct environ_blob *c = environ_intern(&pool, "A=2\0", 4, &made);
    check(made && c != a);
    check(!environ_unref(a));
    check(environ_unref(b));
    check(environ_unref(c));
    check(list_empty(&pool));
}

TEST(an_env_file_that_is_gone)
{
    struct err e;
    struct environ env = { 0 };
    own_app_spec spec = spec_with_env(NULL);
    spec->env_file = strv_add(NULL, "/nonexistent/.env");
    struct environ_query q = { .spec = spec, .home = "/h", .mark = "m-0" };
    check_int(environ_build(&q, &env, &e), -1);
    check_contains(e.text, "env_file: /nonexistent/.env");
    check(!env.all.v);
}

TEST(an_env_file_goes_between)
{
    struct err e;
    struct environ env = { 0 };
    char path[] = "/tmp/velos-environ-XXXXXX";
    own_fd fd = mkstemp(path);
    check_int(write(fd, "A=file\nB=file\n", 14), 14);
    own_app_spec spec = spec_with_env((char *[]){ "B=spec", NULL });
    spec->env_file = strv_add(NULL, path);
    struct environ_query q = { .spec = spec, .home = "/h", .mark = "m-0" };
    check_int(environ_build(&q, &env, &e), 0);
    unlink(path);
    check_text(environ_get(&env, "A"), "file");
    check_text(environ_get(&env, "B"), "spec");
    environ_done(&env);
}

UNIT_MAIN()
