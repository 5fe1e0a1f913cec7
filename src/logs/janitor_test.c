#include "logs/janitor.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"
#include "logs/names.h"
#include "os/sock.h"

enum { MANY = 40, MOST = 16 };

static void wake(void *arg)
{
    check(write(*(const int *)arg, "w", 1) == 1);
}

static int count_open(const int *fds)
{
    int n = 0;
    for (int i = 0; i < MANY; i++)
        n += fcntl(fds[i], F_GETFD) >= 0;
    return n;
}

/* While it waits for an archive to be put in its place it closes nothing. */
TEST(what_waits_to_be_closed_has_a_bound)
{
    char dir[] = "/tmp/velos-janitor-XXXXXX", c;
    int ends[2], fds[MANY];
    check(mkdtemp(dir));
    own_text log = path_join(dir, "a.log");
    own_text archive = names_archive(log, 1, false);
    own_text part = names_part(log);
    own_fd text = open(archive, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    check_int(write(text, "line\n", 5), 5);
    check_int(os_pipe(ends), 0);
    struct janitor *j = janitor_new(wake, &ends[1]);
    janitor_compress(j, log, log, NULL);
    check_int(read(ends[0], &c, 1), 1);
    struct janitor_done done;
    check(janitor_is_done(j, &done) && !done.failed);
    for (int i = 0; i < MANY; i++)
        check((fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    for (int i = 0; i < MANY; i++)
        janitor_close(j, fds[i]);
    check_int(count_open(fds), MOST);
    janitor_placed(j);
    janitor_free(j);
    check_int(count_open(fds), 0);
    close(ends[0]);
    close(ends[1]);
    unlink(archive);
    unlink(part);
    rmdir(dir);
}

UNIT_MAIN()
