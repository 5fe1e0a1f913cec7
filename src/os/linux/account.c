#include "os/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "os/fork.h"
#include "os/sock.h"

enum { ANSWER_MOST = 1 << 20, GROUPS_MOST = 1024 };

struct question {
    const char *database, *key;
    int answer;
};

static void become_getent(void *arg)
{
    const struct question *q = arg;
    char *argv[] = { "getent", (char *)q->database, (char *)q->key, NULL };
    if (dup2(q->answer, STDOUT_FILENO) < 0)
        return;
    execvp(argv[0], argv);
}

/* What getent says, "" for nothing. */
static void ask(const char *database, const char *key, struct buf *said)
{
    int ends[2];
    char part[4096];
    ssize_t n;
    if (key[0] == '-' || os_pipe(ends) < 0) /* an option, not a name */
        return;
    struct question q = { database, key, ends[1] };
    pid_t pid = os_fork(become_getent, &q);
    close(ends[1]);
    while (pid > 0 && said->len < ANSWER_MOST && (n = read(ends[0], part, sizeof(part))) != 0)
        if (n > 0)
            buf_add(said, part, (size_t)n);
        else if (errno != EINTR)
            break;
    close(ends[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Lines of passwd(5); NULL: there are none. */
static int look_in(FILE *take_lines, const char *key, bool is_name, struct account *out)
{
    const struct passwd *pw;
    char number[24];
    int r = -1;
    while (r < 0 && take_lines && (pw = fgetpwent(take_lines))) {
        snprintf(number, sizeof(number), "%u", (unsigned)pw->pw_uid);
        if (strcmp(is_name ? pw->pw_name : number, key) != 0)
            continue;
        *out = (struct account){ xstrdup(pw->pw_name), xstrdup(pw->pw_dir), pw->pw_uid, pw->pw_gid };
        r = 0;
    }
    if (take_lines)
        fclose(take_lines);
    return r;
}

/* getent takes a name of digits for a number, and may not be there: the file is looked at first. */
static int find(const char *key, bool is_name, struct account *out)
{
    own_buf said = { 0 };
    if (look_in(fopen("/etc/passwd", "re"), key, is_name, out) == 0)
        return 0;
    ask("passwd", key, &said); /* read whole: fgetpwent(3) wants to seek */
    return look_in(said.len ? fmemopen(said.data, said.len, "r") : NULL, key, is_name, out);
}

int account_named(const char *name, struct account *out)
{
    return find(name, true, out);
}

int account_of(uid_t uid, struct account *out)
{
    char key[24];
    snprintf(key, sizeof(key), "%u", (unsigned)uid);
    return find(key, false, out);
}

/* getent's answer is "NAME 4 27 100": the groups whose member the user is. */
int account_become(const struct account *a)
{
    own_buf said = { 0 };
    gid_t groups[GROUPS_MOST] = { a->gid };
    size_t n = 1;
    ask("initgroups", a->name, &said);
    char *at = said.len ? said.data + strcspn(said.data, " ") : "", *next;
    for (; n < GROUPS_MOST; at = next) {
        unsigned long group = strtoul(at, &next, 10);
        if (next == at)
            break;
        groups[n++] = (gid_t)group;
    }
    return setgroups(n, groups) < 0 || setgid(a->gid) < 0 || setuid(a->uid) < 0 ? -1 : 0;
}
