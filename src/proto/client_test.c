#include "proto/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unit.h"
#include "os/unixsock.h"
#include "proto/launch.h"

TEST(home)
{
    static const struct {
        const char *velos_home, *home, *want;
    } rows[] = {
        { "/srv/v", "/home/me", "/srv/v" },     { "/srv/v/", "/home/me", "/srv/v" },
        { "/a/./b//../c", NULL, "/a/c" },       { "v", "/home/me", "/usr/v" },
        { "../v", "/home/me", "/v" },           { NULL, "/home/me", "/home/me/.velos" },
        { "", "/home/me/", "/home/me/.velos" },
    };
    check_int(chdir("/usr"), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        rows[i].velos_home ? setenv("VELOS_HOME", rows[i].velos_home, 1) : unsetenv("VELOS_HOME");
        rows[i].home ? setenv("HOME", rows[i].home, 1) : unsetenv("HOME");
        own_text got = client_home();
        check_text(got, rows[i].want);
    }
}

TEST(without_home_the_user_database_is_asked)
{
    unsetenv("VELOS_HOME");
    unsetenv("HOME");
    own_text got = client_home();
    check(got[0] == '/');
    check(text_ends(got, "/.velos"));
}

TEST(a_home_is_made_for_its_owner_alone)
{
    char dir[] = "/tmp/velos-home-XXXXXX";
    check(mkdtemp(dir));
    own_text home = xasprintf("%s/a/b", dir);
    own_text file = xasprintf("%s/file", dir);
    struct err e;
    struct stat st;
    mode_t was = umask(0);
    check_int(launch_prepare_home(home, &e), 0);
    umask(was);
    check_int(stat(home, &st), 0);
    check_int(st.st_mode & 0777, 0700);
    check_int(launch_prepare_home(home, &e), 0); /* again: nothing to do */

    FILE *f = fopen(file, "w");
    check(f && fclose(f) == 0);
    check_int(launch_prepare_home(file, &e), -1);
    check_contains(e.text, "not a directory");
    check(e.hint[0]);

    own_text command = xasprintf("rm -rf %s", dir);
    check_int(system(command), 0);
}

TEST(no_daemon)
{
    struct client_options o = { .home = "/nonexistent/velos", .start = CLIENT_NEVER_START };
    struct client *c = NULL;
    struct err e;
    check_int(client_open(&o, &c, &e), -1);
    check_int(e.code, ERR_UNREACHABLE);
    check_text(e.text, "no daemon is running on /nonexistent/velos");
    check(!c);
}

/* A stand-in for the daemon: a child that plays a script. */
struct act {
    char home[32];
    pid_t pid;
};

static void say(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        _exit(1);
}

/* Everything of a request has come once its second line (the first is hello) has ended. */
static void read_request(int fd, char *out, size_t size)
{
    size_t n = 0, lines = 0;
    while (lines < 2 && n + 1 < size) {
        ssize_t r = recv(fd, out + n, size - n - 1, 0);
        if (r <= 0)
            _exit(1);
        for (ssize_t i = 0; i < r; i++)
            lines += out[n + (size_t)i] == '\n';
        n += (size_t)r;
    }
    out[n] = '\0';
}

/* Answers hello, and the request with the request itself. */
static void echo(int fd, char *request)
{
    char *second = strchr(request, '\n') + 1;
    second[strcspn(second, "\n")] = '\0';
    int id = atoi(second + strlen("{\"jsonrpc\":\"2.0\",\"id\":"));
    own_text answers =
        xasprintf("{\"id\":%d,\"result\":{\"protocol\":1}}\n{\"id\":%d,\"result\":%s}\n", id - 1, id, second);
    say(fd, answers);
}

/* One connection after the other: what the script says, or "echo"; then it hangs up. */
static no_return void play(int listener, const char *const *script)
{
    for (; *script; script++) {
        char request[4096];
        int fd = accept(listener, NULL, NULL);
        read_request(fd, request, sizeof(request));
        if (strcmp(*script, "echo") == 0)
            echo(fd, request);
        else
            say(fd, *script);
        close(fd);
    }
    _exit(0);
}

static struct act act_new(const char *const *script)
{
    struct act a = { .home = "/tmp/velos-act-XXXXXX" };
    struct err e;
    check(mkdtemp(a.home));
    int listener = os_unix_listen(a.home, PROTO_SOCKET, 10, &e);
    check(listener >= 0);
    (void)!fcntl(listener, F_SETFL, 0); /* accept() waits */
    a.pid = fork();
    if (a.pid == 0)
        play(listener, script);
    close(listener);
    return a;
}

static void act_done(struct act *a)
{
    kill(a->pid, SIGKILL);
    waitpid(a->pid, NULL, 0);
    own_text command = xasprintf("rm -rf %s", a->home);
    check_int(system(command), 0);
}

static void count(void *arg, const char *method, const json_t *params)
{
    *(int *)arg += strcmp(method, "progress") == 0 && json_get_int(params, "of", 0) == 2;
}

static int ask(struct act *a, int *notices, json_t **result, struct err *e)
{
    struct client_options o = { .home = a->home, .start = CLIENT_NEVER_START, .timeout_ms = 2000 };
    struct client *c = NULL;
    int n = 0;
    check_int(client_open(&o, &c, e), 0);
    int r =
        client_call(c, "app.stop", "{\"select\":[\"api\"]}", 2000, count, notices ? notices : &n, result, e);
    client_free(c);
    return r;
}

TEST(a_request_is_repeated_with_its_token)
{
    struct act a = act_new((const char *const[]){
        "", "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"protocol\":1}}\n", "echo", NULL });
    struct err e;
    own_json request = NULL;
    check_int(ask(&a, NULL, &request, &e), 0);
    const json_t *params = json_object_get(request, "params");
    check_text(json_get_str(request, "method", ""), "app.stop");
    check(json_get_flag(params, "retry", false));
    check_int(strlen(json_get_str(params, "token", "")), 16);
    check_text(json_string_value(json_array_get(json_object_get(params, "select"), 0)), "api");
    act_done(&a);
}

TEST(the_first_time_is_no_retry)
{
    struct act a = act_new((const char *const[]){ "echo", NULL });
    struct err e;
    own_json request = NULL;
    check_int(ask(&a, NULL, &request, &e), 0);
    check(!json_object_get(json_object_get(request, "params"), "retry"));
    act_done(&a);
}

#define HELLO "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1}}\n"
TEST(answers)
{
    static const struct {
        const char *says;
        int result, notices;
        enum err_code code;
        const char *text;
    } rows[] = {
        { HELLO "{\"id\":2,\"result\":{}}\n", 0, 0, ERR_NONE, NULL },
        { HELLO "{\"method\":\"progress\",\"params\":{\"of\":2}}\n{\"id\":9,\"result\":1}\n{\"id\":2,"
                "\"result\":{}}\n",
          0, 1, ERR_NONE, NULL },
        { HELLO "{\"id\":2,\"error\":{\"message\":\"no app\",\"data\":{\"code\":\"not_found\"}}}\n", -1, 0,
          ERR_NOT_FOUND, "no app" },
        { "{\"id\":1,\"error\":{\"message\":\"too old\",\"data\":{\"code\":\"version\"}}}\n", -1, 0,
          ERR_VERSION, "too old" },
        { "{\"id\":1,\"result\":{\"protocol\":7}}\n", -1, 0, ERR_VERSION, "protocol 7" },
        { "{\"id\":null,\"error\":{\"message\":\"too many\",\"data\":{\"code\":\"limit\"}}}\n", -1, 0,
          ERR_LIMIT, "too many" },
        { HELLO "nonsense\n", -1, 0, ERR_PARSE, "not JSON-RPC" },
        { HELLO "{\"id\":2,\"result\":{\"a\":}}\n", -1, 0, ERR_PARSE, "not JSON" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct act a = act_new((const char *const[]){ rows[i].says, NULL });
        struct err e = { 0 };
        own_json result = NULL;
        int notices = 0;
        check_int(ask(&a, &notices, &result, &e), rows[i].result);
        check_int(notices, rows[i].notices);
        check_int(e.code, rows[i].code);
        if (rows[i].text)
            check_contains(e.text, rows[i].text);
        act_done(&a);
    }
}

#define NOTICE "{\"method\":\"progress\",\"params\":{\"of\":2}}\n"
TEST(draining)
{
    struct act a = act_new((const char *const[]){
        HELLO "{\"id\":2,\"result\":{}}\n" NOTICE NOTICE "{\"id\":7}\n" NOTICE, NULL });
    struct client_options o = { .home = a.home, .start = CLIENT_NEVER_START, .appears = true };
    struct client *c = NULL;
    struct err e = { 0 };
    own_json result = NULL;
    int early = 0, notices = 0;
    check_int(client_open(&o, &c, &e), 0);
    check_int(client_call(c, "events.subscribe", NULL, 2000, count, &early, &result, &e), 0);
    check_int(early, 0); /* they come behind the answer */
    while (client_drain(c, count, &notices, &e) == 0) {
        struct pollfd p = { .fd = client_fd(c), .events = POLLIN };
        check(poll(&p, 1, 10000) == 1);
    }
    check_int(notices, 2); /* and then something that is no message */
    check_int(e.code, ERR_PARSE);
    client_free(c);
    act_done(&a);
}

TEST(draining_to_the_end)
{
    struct act a = act_new((const char *const[]){ HELLO "{\"id\":2,\"result\":{}}\n" NOTICE, NULL });
    struct client_options o = { .home = a.home, .start = CLIENT_NEVER_START };
    struct client *c = NULL;
    struct err e = { 0 };
    own_json result = NULL;
    int notices = 0;
    check_int(client_open(&o, &c, &e), 0);
    check_int(client_call(c, "events.subscribe", NULL, 2000, NULL, NULL, &result, &e), 0);
    while (client_drain(c, count, &notices, &e) == 0) {
        struct pollfd p = { .fd = client_fd(c), .events = POLLIN };
        check(poll(&p, 1, 10000) == 1);
    }
    check_int(notices, 1);
    check_int(e.sys, ECONNRESET);
    client_free(c);
    act_done(&a);
}

UNIT_MAIN()
