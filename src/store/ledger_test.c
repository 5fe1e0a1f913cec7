#include "store/ledger.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/unit.h"

static struct ledger *open_it(int fd)
{
    struct err e;
    struct ledger *l = NULL;
    check_int(ledger_open(fd, &l, &e), 0);
    return l;
}

static int put(struct ledger *l, int slot, const char *key, pid_t pid, const char *text)
{
    check_int(ledger_put(l, &slot, key, pid, text, strlen(text)), 0);
    return slot;
}

static void check_entry(struct ledger *l, int slot, const char *key, pid_t pid, const char *text)
{
    struct ledger_entry e;
    check(ledger_read(l, (size_t)slot, &e));
    check_text(e.key, key);
    check_text(e.text, text);
    check_int(e.len, strlen(text));
    check_int(e.pid, pid);
}

TEST(what_is_put_is_there_for_the_next)
{
    int fd = ledger_file();
    struct ledger *l = open_it(fd);
    int a = put(l, -1, "app/a", 0, "{}"), b = put(l, -1, "in/0", 42, "one");
    put(l, b, "in/0", 43, "another, that is longer than the one before and needs a larger block");
    int c = put(l, -1, "in/1", 0, "gone soon");
    ledger_delete(l, &c);
    check_int(c, -1);
    ledger_free(l);

    l = open_it(fd);
    struct ledger_entry e;
    check_int(ledger_len(l), 3);
    check_entry(l, a, "app/a", 0, "{}");
    check_entry(l, b, "in/0", 43, "another, that is longer than the one before and needs a larger block");
    check(!ledger_read(l, 2, &e));
    check_int(put(l, -1, "in/2", 0, "takes the free place"), 2);
    check_entry(l, a, "app/a", 0, "{}");
    ledger_free(l);
    close(fd);
}

TEST(a_child_and_its_end)
{
    int fd = ledger_file();
    struct ledger *l = open_it(fd), *keeper = open_it(fd);
    struct ledger_entry e;
    int slot = put(l, -1, "in/0", 0, "starting");
    check_int(ledger_find_child(keeper, 77), -1);
    *ledger_child(l, slot) = 77;
    check_int(ledger_find_child(keeper, 77), slot);
    ledger_child_ended(keeper, slot, 77, 9);
    check(ledger_read(l, (size_t)slot, &e) && e.pid == 77 && e.ended && e.status == 9);
    put(l, slot, "in/0", 77, "online");
    check(ledger_read(l, (size_t)slot, &e) && e.ended);
    put(l, slot, "in/0", 0, "waiting");
    check(ledger_read(l, (size_t)slot, &e) && !e.ended);
    *ledger_child(l, slot) = 77; /* the same number again: a life of its own */
    check(ledger_read(l, (size_t)slot, &e) && e.pid == 77 && !e.ended);
    ledger_free(l);
    ledger_free(keeper);
    close(fd);
}

TEST(it_grows_and_the_keeper_follows)
{
    int fd = ledger_file(), slots[40];
    struct ledger *l = open_it(fd), *keeper = open_it(fd);
    own_text large = xmalloc(1 << 20);
    memset(large, 'x', (1 << 20) - 1);
    large[(1 << 20) - 1] = '\0';
    for (int i = 0; i < 40; i++) {
        char key[16];
        snprintf(key, sizeof(key), "in/%d", i);
        slots[i] = put(l, -1, key, 1000 + i, large);
    }
    check_int(ledger_find_child(keeper, 1039), slots[39]);
    check_entry(keeper, slots[39], "in/39", 1039, large);
    ledger_free(l);
    ledger_free(keeper);
    close(fd);
}

/* Many puts and deletes, mapped anew now and then: the memory does not grow with them. */
TEST(what_was_freed_is_used_again)
{
    int fd = ledger_file(), slots[32];
    struct ledger *l = open_it(fd);
    char text[2000];
    memset(slots, -1, sizeof(slots));
    memset(text, 'y', sizeof(text));
    srand(1);
    for (int i = 0; i < 200000; i++) {
        int at = rand() % 32;
        char key[16];
        snprintf(key, sizeof(key), "in/%d", at);
        if (rand() % 8 == 0)
            ledger_delete(l, &slots[at]);
        else
            check_int(ledger_put(l, &slots[at], key, 0, text, (size_t)(rand() % 2000)), 0);
        if (rand() % 5000 == 0) {
            ledger_free(l);
            l = open_it(fd);
        }
    }
    check_int(lseek(fd, 0, SEEK_END), 4 << 20);
    check_int(ledger_len(l), 32);
    ledger_free(l);
    close(fd);
}

TEST(what_is_no_ledger_is_refused)
{
    struct err e;
    struct ledger *l = NULL;
    int fd = ledger_file();
    check_int(pwrite(fd, "garbage!", 8, 0), 8);
    check_int(ledger_open(fd, &l, &e), -1);
    check_int(ftruncate(fd, 10), 0);
    check_int(ledger_open(fd, &l, &e), -1);
    close(fd);
    fd = ledger_file();
    check_int(pwrite(fd, "\7", 1, 8), 1);
    check_int(ledger_open(fd, &l, &e), -1);
    check_contains(e.text, "version 7");
    close(fd);
}

enum { KEYS = 24 };
struct seen {
    volatile unsigned long done[KEYS], begun[KEYS];
};

/* The n-th text of a key: its number, over and over, as long as chance wants. */
static size_t compose(char *out, unsigned long n, size_t words)
{
    size_t len = 0;
    for (size_t i = 0; i < words; i++)
        len += (size_t)sprintf(out + len, "%lu ", n);
    return len;
}

static void write_for_ever(int fd, struct seen *s, unsigned seed)
{
    struct err e;
    struct ledger *l;
    int slots[KEYS];
    static char text[8192];
    memset(slots, -1, sizeof(slots));
    if (ledger_open(fd, &l, &e) < 0)
        _exit(1);
    for (size_t i = 0; i < ledger_len(l); i++) {
        struct ledger_entry entry;
        if (ledger_read(l, i, &entry))
            slots[atoi(entry.key + 2)] = (int)i;
    }
    for (srand(seed);;) {
        int k = rand() % KEYS;
        char key[16];
        unsigned long n = s->done[k] + 1;
        sprintf(key, "k/%d", k);
        s->begun[k] = n;
        if (ledger_put(l, &slots[k], key, 0, text, compose(text, n, (size_t)(rand() % 400) + 1)) < 0)
            _exit(2);
        s->done[k] = n;
    }
}

/* The writer is killed at any instant, 300 times: every entry is the last one that was done, or the one that
 * was begun, whole; and there is one of a key. */
TEST(a_killed_writer_leaves_old_or_new)
{
    int fd = ledger_file();
    struct seen *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    static char want[8192];
    for (unsigned round = 1; round <= 300; round++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            write_for_ever(fd, s, round);
        struct timespec some = { .tv_nsec = 100000 + rand() % 2000000 };
        nanosleep(&some, NULL); /* when it is killed is for chance to say */
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        check(WIFSIGNALED(status));
        struct ledger *l = open_it(fd);
        bool there[KEYS] = { false };
        for (size_t i = 0; i < ledger_len(l); i++) {
            struct ledger_entry e;
            if (!ledger_read(l, i, &e))
                continue;
            int k = atoi(e.key + 2);
            unsigned long n = strtoul(e.text, NULL, 10);
            check(!there[k]);
            there[k] = true;
            check(n == s->done[k] || n == s->begun[k]);
            size_t words = 0;
            for (size_t c = 0; c < e.len; c++)
                words += e.text[c] == ' ';
            check_int(compose(want, n, words), e.len);
            check(memcmp(want, e.text, e.len) == 0);
            s->done[k] = n;
        }
        for (int k = 0; k < KEYS; k++)
            check(there[k] || s->done[k] == 0);
        ledger_free(l);
    }
    close(fd);
}

UNIT_MAIN()
