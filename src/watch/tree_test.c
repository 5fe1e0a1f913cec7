#include "watch/tree.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/time.h"
#include "base/unit.h"

static char *place; /* the folder of this test */

static void run(const char *command)
{
    own_text line = xasprintf("cd %s && %s", place, command);
    check_int(system(line), 0);
}

static struct tree *watch(const char *ignore, bool content)
{
    static char template[] = "/tmp/velos-tree-XXXXXX", copy[sizeof(template)];
    memcpy(copy, template, sizeof(template));
    place = mkdtemp(copy);
    check(place != NULL);
    char *const patterns[] = { (char *)ignore, NULL }, *const roots[] = { place, NULL };
    struct rules_spec rules = { .base = place, .ignore = ignore ? patterns : NULL, .home = "/nowhere" };
    struct tree_spec spec = { .roots = roots, .take_rules = rules_new(&rules), .content = content };
    return tree_new(&spec);
}

static void end(struct tree *t)
{
    tree_free(t);
    run("rm -rf $PWD");
}

/* The paths that changed since the last time, relative, with blanks between, as they were told. */
static const char *changed(struct tree *t)
{
    static char out[1024];
    struct changes *c = tree_changes(t);
    tree_read(t);
    snprintf(out, sizeof(out), "%s %zu", c->first ? c->first + strlen(place) + 1 : "-", changes_count(c));
    changes_clear(c);
    return out;
}

TEST(files)
{
    struct tree *t = watch("*.tmp", false);
    run("mkdir -p a/b && echo 1 > a/b/c");
    tree_open(t);
    check_text(changed(t), "- 0");
    check_int(tree_state(t).folders, 3);
    run("echo 2 > a/b/c");
    check_text(changed(t), "a/b/c 1");
    run("echo 2 > a/b/c.tmp && mkdir a/b/d.tmp && echo > a/b/d.tmp/x");
    check_text(changed(t), "- 0");
    run("mv a/b/c.tmp a/b/c");
    check_text(changed(t), "a/b/c 1");
    run("mkdir -p x/y/z && echo > x/y/z/1");
    check_text(changed(t), "x 2"); /* itself, and the file that was found in it */
    run("echo > x/y/z/1; rm -r a");
    check_text(changed(t), "x/y/z/1 4");
    check_int(tree_state(t).folders, 4);
    run("mv x ../$(basename $PWD)-x; mkdir n; mv ../$(basename $PWD)-x n/x");
    changed(t);
    check_int(tree_state(t).folders, 5);
    run("echo > n/x/y/z/1");
    check_text(changed(t), "n/x/y/z/1 1");
    end(t);
}

TEST(dates)
{
    struct tree *t = watch(NULL, false);
    run("echo > old && touch -d '1 hour ago' old && echo > new && echo > tomorrow && touch -d '1 day' "
        "tomorrow");
    tree_set_newer(t, time_wall_ms() - 60 * 1000);
    tree_open(t);
    check_text(changed(t), "new 1");
    run("chmod +x old && : >> old"); /* opened for writing, and not written to */
    check_text(changed(t), "- 0");
    run("touch old");
    check_text(changed(t), "old 1");
    end(t);
}

TEST(contents)
{
    struct tree *t = watch(NULL, true);
    run("echo 1 > a && echo 2 > b");
    tree_open(t);
    run("echo 1 > a && echo 2 > b.new && mv b.new b");
    tree_read(t);
    check(!tree_differs(t));
    changes_clear(tree_changes(t));
    run("echo 1 > a && echo 3 > b");
    tree_read(t);
    check(tree_differs(t));
    check_int(changes_count(tree_changes(t)), 1);
    check_contains(tree_changes(t)->first, "/b");
    changes_clear(tree_changes(t));
    run("rm a");
    tree_read(t);
    check(tree_differs(t));
    end(t);
}

TEST(sockets_do_not_count)
{
    struct tree *t = watch(NULL, false);
    run("mkfifo before");
    tree_open(t);
    run("mkfifo pipe");
    check_text(changed(t), "- 0");
    run("rm pipe before");
    check_text(changed(t), "- 0");
    run("echo > pipe");
    check_text(changed(t), "pipe 1");
    end(t);
}

/* Folders are made, moved and removed by another thread as fast as it can, while news are read: in the end
 * each folder that is there is watched, and no other. */
static atomic_bool trouble_is_over;
enum { DEEDS = 6000, NAMES = 4, DEEPEST = 4 };

static void *make_trouble(void *seed)
{
    unsigned *state = seed;
    char from[64], to[64], top[64];
    for (int i = 0; i < DEEDS; i++) {
        char *paths[] = { from, to };
        for (int k = 0; k < 2; k++) {
            paths[k][0] = '\0';
            for (int depth = 1 + rand_r(state) % DEEPEST; depth > 0; depth--)
                sprintf(paths[k] + strlen(paths[k]), "/%c", 'a' + rand_r(state) % NAMES);
        }
        own_text a = xasprintf("%s%s", place, from);
        own_text b = xasprintf("%s%s", place, to);
        snprintf(top, sizeof(top), "%.2s", from);
        switch (rand_r(state) % 5) {
        case 0:
        case 1:
        case 2:
            mkdir(a, 0755);
            break;
        case 3:
            rename(a, b);
            break;
        default:
            rmdir(a);
        }
    }
    atomic_store(&trouble_is_over, true);
    return NULL;
}

static void read_along(struct tree *t)
{
    while (!atomic_load(&trouble_is_over)) {
        struct pollfd p = { .fd = tree_fd(t), .events = POLLIN };
        poll(&p, 1, 10);
        tree_read(t);
    }
}

static size_t count_folders(void)
{
    own_text line = xasprintf("find %s -type d | wc -l", place);
    FILE *f = popen(line, "r");
    size_t n = 0;
    check(f && fscanf(f, "%zu", &n) == 1);
    pclose(f);
    return n;
}

static void touch_all(void)
{
    run("find . -type d -exec sh -c 'for d; do echo > \"$d/file\"; done' sh {} +");
}

TEST(races)
{
    unsigned seed = (unsigned)time_wall_ms();
    for (int round = 0; round < 2; round++, seed++) {
        struct tree *t = watch(NULL, false);
        unsigned dice = seed;
        pthread_t thread;
        check_row(seed);
        atomic_store(&trouble_is_over, false);
        tree_open(t);
        check_int(pthread_create(&thread, NULL, make_trouble, &dice), 0);
        read_along(t);
        pthread_join(thread, NULL);
        tree_read(t);
        tree_read(t);
        check_int(tree_state(t).folders, count_folders());
        changes_clear(tree_changes(t));
        touch_all();
        tree_read(t);
        check_int(changes_count(tree_changes(t)), count_folders());
        end(t);
    }
}

/* Each folder is there as soon as the one above it: between its watch and its listing, if the two let it. */
enum { CHAINS = 2000 };

static void *make_chains(void *unused)
{
    for (int i = 0; i < CHAINS; i++) {
        own_text path = xasprintf("%s/%d", place, i);
        for (int depth = 0; depth < DEEPEST; depth++) {
            mkdir(path, 0755);
            char *next = xasprintf("%s/x", path);
            free(path);
            path = next;
        }
    }
    atomic_store(&trouble_is_over, true);
    return NULL;
}

TEST(chains)
{
    struct tree *t = watch(NULL, false);
    pthread_t thread;
    atomic_store(&trouble_is_over, false);
    tree_open(t);
    check_int(pthread_create(&thread, NULL, make_chains, NULL), 0);
    read_along(t);
    pthread_join(thread, NULL);
    tree_read(t);
    tree_read(t);
    check_int(tree_state(t).folders, 1 + CHAINS * DEEPEST);
    end(t);
}

UNIT_MAIN()
