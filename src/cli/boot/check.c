/* A dry boot: the daemon starts in a copy of the home, with the environment and the user the service manager
 * gives it, reports that it is ready, reads the saved list, and looks for the program of every app; none is
 * started.
 *
 * The home and the directory of the copy belong to that user, whoever asks: a link in place of a file there
 * leads anywhere. So the whole dry boot is done by a process that has become the user; root only reads what
 * it found, as text through a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/time.h"
#include "cli/boot/boot.h"
#include "conf/settings.h"
#include "os/account.h"
#include "os/sock.h"
#include "store/state_file.h"

enum { READY_MS = 10000, END_MS = 5000 };

struct findings {
    struct buf lines;
    struct json_out json;
    struct buf text;
    bool wrong;
    int to; /* where a process of the user writes what it finds; else -1 */
};

static void found(struct findings *f, bool ok, const char *fmt, ...) printf_like(3, 4);
static void found(struct findings *f, bool ok, const char *fmt, ...)
{
    own_buf text = { 0 };
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    f->wrong |= !ok;
    if (f->to >= 0) {
        struct err ignored; /* root is gone: nobody reads */
        own_text line = xasprintf("%c%s", ok ? '+' : '-', text.data);
        (void)!file_write_all(f->to, line, strlen(line) + 1, &ignored);
        return;
    }
    buf_addf(&f->lines, "%-8s %s\n", ok ? "ok" : "problem", text.data);
    json_open(&f->json, NULL, '{');
    json_flag(&f->json, "ok", ok);
    json_str(&f->json, "text", text.data);
    json_close(&f->json, '}');
}

/* The file of the service manager. */
static void check_file(const struct boot *b, struct findings *f)
{
    own_buf want = { 0 };
    own_text path = boot_path(b);
    own_text got = NULL;
    struct err e;
    b->kind->text(b, &want);
    if (file_read(path, 1 << 20, &got, NULL, &e) < 0)
        found(f, false, "%s: velos is not started at boot: velos startup", e.text);
    else if (strcmp(got, want.data) != 0)
        found(f, false, "%s is not what this velos would write: velos startup", path);
    else
        found(f, true, "%s is there", path);
    own_text obstacle = b->kind->obstacle(b);
    if (obstacle)
        found(f, false, "%s", obstacle);
}

/* A place for the copy, the user's. */
struct place {
    char *home;
    struct account user;
    int said; /* the socket of sd_notify */
    int log;  /* what the daemon writes to stderr; ends with it */
    pid_t pid;
};

static const char *const copied[] = { SETTINGS_FILE, STATE_FILE, STATE_PREVIOUS };
static const char *const made[] = { "boot.sock", "velosd.lock", "velos.sock", "notify.sock" };

static int copy_file(const struct boot *b, const struct place *p, const char *name, struct err *e)
{
    own_text from = path_join(b->home, name);
    own_text to = path_join(p->home, name);
    own_text text = NULL;
    size_t n;
    if (access(from, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (file_read(from, STATE_MOST, &text, &n, e) < 0)
        return -1;
    own_fd fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || file_write_all(fd, text, n, e) < 0 || fchown(fd, p->user.uid, p->user.gid) < 0)
        return err_sys(e, "copy to %s", to);
    return 0;
}

static int open_notify(struct place *p, struct err *e)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/boot.sock", p->home);
    p->said = os_sock_new(SOCK_DGRAM, false);
    if (n >= (int)sizeof(a.sun_path) || p->said < 0 || bind(p->said, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        chown(a.sun_path, p->user.uid, p->user.gid) < 0)
        return err_sys(e, "%s", a.sun_path);
    return 0;
}

static int place_init(struct place *p, const struct boot *b, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    *p = (struct place){ .said = -1, .log = -1 };
    if (account_named(b->user, &p->user) < 0)
        return err_set(e, ERR_FAILED, "no user `%s`", b->user);
    char *home = xasprintf("%s/velos-check-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
    if (!mkdtemp(home)) {
        err_sys(e, "%s", home);
        free(home);
        return -1;
    }
    p->home = home;
    if (chown(home, p->user.uid, p->user.gid) < 0)
        return err_sys(e, "%s", home);
    for (size_t i = 0; i < ARRAY_LEN(copied); i++)
        if (copy_file(b, p, copied[i], e) < 0)
            return -1;
    return open_notify(p, e);
}

static void place_done(struct place *p)
{
    for (size_t i = 0; p->home && i < ARRAY_LEN(copied); i++) {
        own_text path = path_join(p->home, copied[i]);
        unlink(path);
    }
    for (size_t i = 0; p->home && i < ARRAY_LEN(made); i++) {
        own_text path = path_join(p->home, made[i]);
        unlink(path);
    }
    own_text logs = p->home ? path_join(p->home, "logs") : NULL;
    if (logs)
        rmdir(logs);
    if (p->home)
        rmdir(p->home);
    fd_done(&p->said);
    fd_done(&p->log);
    free(p->home);
    account_done(&p->user);
}

/* In the child. */
static void become_daemon(const struct boot *b, const struct place *p, int log, char **env)
{
    char *argv[] = { b->program, "daemon", NULL };
    setsid();
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    if (p->user.uid != geteuid() && account_become(&p->user) < 0) {
        perror("become the user");
        _exit(126);
    }
    if (chdir("/") == 0)
        execve(b->program, argv, env);
    perror(b->program);
    _exit(127);
}

static int start_daemon(const struct boot *b, struct place *p, struct err *e)
{
    int ends[2];
    struct boot copy = *b;
    copy.home = p->home;
    own_strv env = boot_environ(&copy);
    env = strv_take(env, xasprintf("NOTIFY_SOCKET=%s/boot.sock", p->home));
    if (os_pipe(ends) < 0)
        return err_sys(e, "pipe");
    p->pid = fork();
    if (p->pid == 0)
        become_daemon(b, p, ends[1], env);
    close(ends[1]);
    p->log = ends[0];
    return p->pid < 0 ? err_sys(e, "fork") : 0;
}

/* What it has said on stderr; its last line is the most telling. */
static void add_last_line(struct buf *log, struct err *e)
{
    while (log->len && log->data[log->len - 1] == '\n')
        log->data[--log->len] = '\0';
    const char *last = log->len ? strrchr(log->data, '\n') : NULL;
    err_set(e, ERR_FAILED, "the daemon ends before it is ready: %s",
            last       ? last + 1
            : log->len ? log->data
                       : "it says nothing");
}

/* 1: READY=1 has come; 0: something else; -1: it has ended, or its time is over. */
static int hear(struct place *p, struct buf *log, int64_t deadline, struct err *e)
{
    char text[1024];
    struct pollfd fds[] = { { .fd = p->said, .events = POLLIN }, { .fd = p->log, .events = POLLIN } };
    int64_t left = deadline - time_mono_ms();
    if (left <= 0)
        return err_set(e, ERR_TIMEOUT, "the daemon is not ready after %d s", READY_MS / 1000);
    if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
        return err_sys(e, "poll");
    if (fds[1].revents) {
        ssize_t n = read(p->log, text, sizeof(text));
        if (n <= 0) {
            add_last_line(log, e);
            return -1;
        }
        buf_add(log, text, (size_t)n);
    }
    if (!fds[0].revents)
        return 0;
    ssize_t n = recv(p->said, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[MAX(n, (ssize_t)0)] = '\0';
    return strstr(text, "READY=1") != NULL;
}

static int await_ready(struct place *p, struct err *e)
{
    own_buf log = { 0 };
    int64_t deadline = time_mono_ms() + READY_MS;
    int r;
    while ((r = hear(p, &log, deadline, e)) == 0)
        ;
    return r < 0 ? -1 : 0;
}

/* In what the daemon says its home is the copy. */
static void found_there(struct findings *f, const struct place *p, const struct boot *b, const char *text)
{
    own_buf out = { 0 };
    size_t n = strlen(p->home);
    for (const char *at; (at = strstr(text, p->home)); text = at + n) {
        buf_add(&out, text, (size_t)(at - text));
        buf_adds(&out, b->home);
    }
    buf_adds(&out, text);
    found(f, false, "%s", out.data);
}

static void tell_apps(const json_t *result, const struct place *p, const struct boot *b, struct findings *f)
{
    size_t i;
    json_t *app;
    const char *warning = json_get_str(result, "warning", NULL);
    if (warning)
        found_there(f, p, b, warning);
    json_array_foreach(json_object_get(result, "apps"), i, app)
    {
        const json_t *error = json_object_get(app, "error");
        if (error)
            found_there(f, p, b, json_get_str(error, "message", "?"));
        else
            found(f, true, "%s: its program is there", json_get_str(app, "name", "?"));
    }
}

static void ask(const struct place *p, const struct boot *b, struct findings *f)
{
    struct err e;
    struct client *client = NULL;
    own_json result = NULL;
    own_json ignored = NULL;
    struct client_options o = { .home = p->home, .start = CLIENT_NEVER_START };
    if (client_open(&o, &client, &e) < 0) {
        found(f, false, "%s", e.text);
        return;
    }
    if (client_call(client, "state.resurrect", "{\"dry\":true}", READY_MS, NULL, NULL, &result, &e) < 0)
        found_there(f, p, b, e.text);
    else
        tell_apps(result, p, b, f);
    if (client_call(client, "daemon.kill", NULL, READY_MS, NULL, NULL, &ignored, &e) < 0)
        found(f, false, "%s", e.text);
    client_free(client);
}

/* The pipe ends with the last of its processes. */
static void end_daemon(struct place *p)
{
    char text[1024];
    int64_t deadline = time_mono_ms() + END_MS;
    if (p->pid <= 0)
        return;
    for (;;) {
        struct pollfd fd = { .fd = p->log, .events = POLLIN };
        int64_t left = deadline - time_mono_ms();
        if (left <= 0 || poll(&fd, 1, (int)left) <= 0 || read(p->log, text, sizeof(text)) <= 0)
            break;
    }
    if (time_mono_ms() >= deadline)
        kill(-p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
}

static void boot(const struct boot *b, struct findings *f)
{
    struct place p;
    struct err e;
    int64_t began = time_mono_ms();
    if (place_init(&p, b, &e) < 0 || start_daemon(b, &p, &e) < 0 || await_ready(&p, &e) < 0) {
        found(f, false, "%s", e.text);
        if (p.pid > 0)
            kill(-p.pid, SIGKILL);
    } else {
        found(f, true, "the daemon is ready after %lld ms", (long long)(time_mono_ms() - began));
        ask(&p, b, f);
    }
    end_daemon(&p);
    place_done(&p);
}

/* In the child: for each finding a letter and its text, closed by a NUL. */
static void boot_as_user(const struct boot *b, const struct account *user, int to)
{
    struct findings f = { .to = to };
    f.json = JSON_OUT(&f.text);
    if (account_become(user) < 0)
        found(&f, false, "become user %s: %s", b->user, strerror(errno));
    else
        boot(b, &f);
    _exit(0);
}

static void replay(struct findings *f, const char *user, const char *text, size_t n)
{
    const char *end = text + n;
    if (n == 0)
        found(f, false, "the dry boot as user %s has no result", user);
    for (const char *nul; text < end && (nul = memchr(text, '\0', (size_t)(end - text))); text = nul + 1) {
        own_buf shown = { 0 };
        if (nul > text)
            buf_add_shown(&shown, text + 1);
        found(f, *text == '+', "%s", shown.data ? shown.data : "");
    }
}

static void boot_by_user(const struct boot *b, const struct account *user, struct findings *f)
{
    enum { FINDINGS_MAX = 1 << 20 };
    int ends[2];
    own_buf text = { 0 };
    pid_t pid = os_pipe(ends) < 0 ? -1 : fork();
    if (pid == 0) {
        close(ends[0]);
        boot_as_user(b, user, ends[1]);
    }
    if (pid < 0) {
        found(f, false, "start a process of user %s: %s", b->user, strerror(errno));
        return;
    }
    close(ends[1]);
    while (text.len < FINDINGS_MAX) {
        buf_reserve(&text, 4096);
        ssize_t n = read(ends[0], text.data + text.len, text.cap - text.len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        text.len += (size_t)n;
    }
    close(ends[0]);
    waitpid(pid, NULL, 0);
    replay(f, b->user, text.data, text.len);
}

int boot_check(struct cli *c, const struct boot *b, struct err *e)
{
    struct findings f = { .to = -1 };
    struct account user = { 0 };
    f.json = JSON_OUT(&f.text);
    json_open(&f.json, NULL, '[');
    check_file(b, &f);
    if (account_named(b->user, &user) == 0 && user.uid != geteuid())
        boot_by_user(b, &user, &f);
    else
        boot(b, &f);
    account_done(&user);
    json_close(&f.json, ']');
    int r = c->json ? out_json_text(f.text.data, f.text.len, e) : out_write(&f.lines, e);
    buf_done(&f.text);
    buf_done(&f.lines);
    return r < 0 ? -1 : f.wrong;
}
