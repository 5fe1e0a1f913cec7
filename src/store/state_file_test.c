#include "store/state_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"

static char home[64];

static void fresh_home(void)
{
    snprintf(home, sizeof(home), "/tmp/velos-state-XXXXXX");
    check(mkdtemp(home) != NULL);
}

static char *found(const char *name)
{
    struct err e;
    char *text = NULL;
    return state_file_read(home, name, &text, NULL, &e) == 0 ? text : NULL;
}

static const char *begins_with_bad(const char *text, size_t n)
{
    return n && text[0] == '!' ? "damaged" : NULL;
}

static int write_text(const char *text, char **moved, struct err *e)
{
    struct buf b = { .data = (char *)text, .len = strlen(text) };
    return state_file_write(home, &b, begins_with_bad, moved, e);
}

static size_t count_files(void)
{
    size_t n = 0;
    DIR *d = opendir(home);
    for (struct dirent *f; d && (f = readdir(d));)
        n += f->d_name[0] != '.';
    closedir(d);
    return n;
}

static void remove_home(void)
{
    DIR *d = opendir(home);
    for (struct dirent *f; d && (f = readdir(d));)
        unlinkat(dirfd(d), f->d_name, 0);
    closedir(d);
    rmdir(home);
}

TEST(the_one_before_is_kept)
{
    static const char *const texts[] = { "first", "second", "third", "third" };
    fresh_home();
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e;
        own_text moved = NULL;
        check_row(i);
        check_int(write_text(texts[i], &moved, &e), 0);
        own_text now = found(STATE_FILE);
        own_text before = found(STATE_PREVIOUS);
        check_text(now, texts[i]);
        check(text_equal(before, i ? texts[i - 1] : NULL));
        check(!moved);
        check_int(count_files(), i ? 2 : 1);
    }
    struct stat st;
    own_text path = path_join(home, STATE_FILE);
    check_int(stat(path, &st), 0);
    check_int(st.st_mode & 0777, 0600);
    remove_home();
}

TEST(a_damaged_file_is_kept_and_is_not_the_previous_one)
{
    struct err e;
    own_text moved = NULL;
    own_text none = NULL;
    fresh_home();
    check_int(write_text("good", &none, &e), 0);
    check_int(write_text("!bad", &none, &e), 0); /* good is the previous one now */
    check_int(write_text("new", &moved, &e), 0);
    check(moved && text_starts(moved, STATE_FILE ".damaged-"));
    own_text now = found(STATE_FILE);
    own_text before = found(STATE_PREVIOUS);
    own_text damaged = found(moved);
    check_text(now, "new");
    check_text(before, "good");
    check_text(damaged, "!bad");
    remove_home();
}

TEST(failure_changes_nothing)
{
    struct err e;
    own_text moved = NULL;
    fresh_home();
    check_int(write_text("old", &moved, &e), 0);
    own_text trap = xasprintf("%s/state.json.new", home); /* a folder where the fresh file would be */
    check_int(mkdir(trap, 0700), 0);
    check_int(write_text("new", &moved, &e), -1);
    check_contains(e.text, home);
    check_contains(e.text, "state.json");
    own_text now = found(STATE_FILE);
    check_text(now, "old");
    check(!found(STATE_PREVIOUS));
    rmdir(trap);
    remove_home();
    check_int(write_text("new", &moved, &e), -1); /* the home itself is gone */
}

TEST(what_is_not_there_is_not_found)
{
    struct err e;
    char *text = NULL;
    fresh_home();
    check_int(state_file_read(home, STATE_FILE, &text, NULL, &e), -1);
    check_int(e.code, ERR_NOT_FOUND);
    remove_home();
}

UNIT_MAIN()
