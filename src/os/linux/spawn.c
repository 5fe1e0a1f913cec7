/* clone(2) as vfork(2) does it, but on a stack of its own: the child borrows our memory until exec, so it
 * tells of a failure by writing to it, and a spawn costs the same however large we are. It borrows our table
 * of descriptors too: to copy some thousands of them, and to close them again at exec, would cost more than
 * all the rest. What it needs is put into low places beforehand; close_range(2) then gives it a table of its
 * own with nothing but those (CLOSE_RANGE_UNSHARE, Linux 5.9). The kernel writes its pid before it runs
 * (CLONE_PARENT_SETTID).
 *
 * What that demands: all signals are blocked around it (a handler would run on our memory in the child), and
 * only async-signal-safe calls are made. Identities are changed by raw system calls: glibc's setuid() would
 * change the threads it believes to be its own, which are ours.
 *
 * How long we wait is bounded, so not CLONE_VFORK: the child is at the mercy of others until exec. From
 * setresuid() on each process of its user may stop it (SIGSTOP) or make it slow (renice); its directory and
 * its program may be on a file system that does not respond, its user's own (FUSE) or a network's. The kernel
 * wakes us when the child lets go of our memory, by exec or exit (CLONE_CHILD_CLEARTID); one that has not
 * after BORROW_MS gets SIGKILL, and the same program is started by a plain fork: with memory and descriptors
 * of its own, it is not waited for at all and writes what fails to a close-on-exec pipe ("apart"). So is
 * every other one for the next PATIENCE_MS, in case somebody means it. A fork costs a third more of the time
 * to a new child: our page tables are copied, and torn down again at exec.
 *
 * A child on our memory that is another user's must not be a way into it. As long as the memory is not
 * "dumpable" its user may neither trace it nor look into /proc/PID; setresuid() makes it what
 * /proc/sys/fs/suid_dumpable says. 0 is good. 1 ("ptrace is unchecked") is not, and with 2 a signal that
 * dumps core would, before Linux 5.16, end all processes on that memory: then it is apart. */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "os/procstat.h"
#include "os/proctag.h"

/* Where what a child gets is put: low numbers, above those it gets it as. In between spawns they hold
 * /dev/null, so that nothing else lands there. */
enum { PLACE_IN, PLACE_OUT, PLACE_ERR, PLACE_CHANNEL, PLACES, LOWEST_PLACE = 4 };

/* vfork(2) stops the thread that called it until exec, and in that time it waits more than it works: of many
 * births a few threads do theirs side by side. The first spawner is whoever calls; the others have threads of
 * their own, from the first large number of births on: one that waits is 12 KiB, and the first that ended
 * would bring 64 KiB of libc that nobody else uses (__res_thread_freeres and what is mapped around it). */
enum {
    SPAWNERS = 4,
    WORTH_A_THREAD = 3,
    STACK = 64 << 10,
    BORROW_MS = 100,
    KILL_MS = 10,
    PATIENCE_MS = 10000
};

struct failure { /* what a child that is apart writes, in one piece, when there is no exec */
    enum os_spawn_step step;
    int error;
};

struct attempt { /* one birth, as the child sees it */
    const struct os_spawn *how;
    const int *places;
    const sigset_t *changed_signals;
    int report;        /* -1: it borrows our memory and answers below */
    uint32_t borrowed; /* 0 once it has let go of our memory; the kernel writes that */
    volatile int error;
    volatile enum os_spawn_step step;
};

struct spawner {
    int places[PLACES];
    bool filled;            /* the places are not /dev/null */
    struct attempt attempt; /* on our memory; not on a stack: the kernel may write to it after we gave up */
    enum { START_UNTRIED, START_KNOWN, START_TO_READ } start;
};
static struct spawner spawners[SPAWNERS];
static int64_t impatient_until; /* mono ms: until then no child borrows our memory */
/* Of their children until exec; what is not touched is not there. */
static _Alignas(STACK) char stacks[SPAWNERS][STACK];
static int n_spawners, highest_place, null_fd = -1;

/* Births to do. The threads and who waits for them meet at the lock. */
static struct {
    struct os_birth *births;
    size_t next, end, busy;
    int threads;
    bool spread; /* their stacks were used */
} pool;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;

/* Signals that are not at their default in this process: looked up once, at the first spawn, when all
 * handlers are in place; 64 calls for each child would cost more than the fork. */
static const sigset_t *changed_signals(void)
{
    static sigset_t changed;
    static bool known;
    struct sigaction now;
    if (known)
        return &changed;
    sigemptyset(&changed);
    for (int sig = 1; sig < NSIG; sig++)
        if (sigaction(sig, NULL, &now) == 0 && now.sa_handler != SIG_DFL)
            sigaddset(&changed, sig);
    known = true;
    return &changed;
}

static void default_signals(const sigset_t *changed)
{
    struct sigaction dfl = { .sa_handler = SIG_DFL };
    for (int sig = 1; sig < NSIG; sig++)
        if (sigismember(changed, sig))
            sigaction(sig, &dfl, NULL);
}

static int set_user(const struct os_spawn *s)
{
    if (!s->has_user)
        return 0;
    if (syscall(SYS_setgroups, s->n_groups, s->groups) < 0 ||
        syscall(SYS_setresgid, s->gid, s->gid, s->gid) < 0)
        return -1;
    if (syscall(SYS_setresuid, s->uid, s->uid, s->uid) < 0)
        return -1;
    return prctl(PR_SET_DUMPABLE, 0); /* where the setting is 2 */
}

/* In a table of its own: the sources are where we have them, all above 2. Nothing of ours stays open for who
 * may look into the child once it has changed its user. */
static int arrange_own_fds(struct attempt *b)
{
    const struct os_spawn *s = b->how;
    unsigned lowest = s->channel >= 0 ? 4 : 3;
    int report = fcntl(b->report, F_DUPFD_CLOEXEC, LOWEST_PLACE);
    if (report < 0)
        return -1;
    b->report = report;
    if (dup2(s->in >= 0 ? s->in : null_fd, 0) < 0 || dup2(s->out, 1) < 0 || dup2(s->err, 2) < 0 ||
        (s->channel >= 0 && (s->channel == 3 ? fcntl(3, F_SETFD, 0) : dup2(s->channel, 3)) < 0))
        return -1;
    if ((unsigned)report > lowest) /* older than 5.9: ours are close-on-exec anyway */
        close_range(lowest, (unsigned)report - 1, 0);
    close_range((unsigned)report + 1, ~0U, 0);
    return 0;
}

/* The descriptors as the app is to find them: 0, 1, 2, perhaps 3, and none beside. */
static int arrange_fds(const struct attempt *b)
{
    const int *places = b->places;
    bool channel = b->how->channel >= 0;
    if (close_range((unsigned)highest_place + 1, ~0U, CLOSE_RANGE_UNSHARE) < 0)
        return -1;
    if (dup2(places[PLACE_IN], 0) < 0 || dup2(places[PLACE_OUT], 1) < 0 || dup2(places[PLACE_ERR], 2) < 0 ||
        (channel && dup2(places[PLACE_CHANNEL], 3) < 0))
        return -1;
    close_range(channel ? 4 : 3, ~0U,
                CLOSE_RANGE_CLOEXEC); /* older than 5.11: ours are close-on-exec anyway */
    return 0;
}

static int child(void *arg)
{
    static const sigset_t none;
    struct attempt *b = arg;
    const struct os_spawn *s = b->how;
    b->step = SPAWN_FORK;
    if ((b->report < 0 ? arrange_fds(b) : arrange_own_fds(b)) < 0)
        goto failed;
    setsid();
    default_signals(b->changed_signals);
    umask(s->umask);
    if (s->limits)
        os_limits_apply(s->limits);
    os_proctag_take(s->tag);
    b->step = SPAWN_USER;
    if (set_user(s) < 0)
        goto failed;
    b->step = SPAWN_CHDIR;
    if (chdir(s->cwd) < 0)
        goto failed;
    b->step = SPAWN_EXEC;
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(s->exec, s->argv, s->envp);
failed:
    b->error = errno;
    if (b->report >= 0) {
        struct failure f = { b->step, b->error };
        if (write(b->report, &f, sizeof(f)) != sizeof(f))
            _exit(126); /* nobody reads it any more */
    }
    _exit(127);
}

/* Puts fd, or /dev/null, into a place. */
static int place(const struct spawner *sp, int at, int fd)
{
    return dup3(fd >= 0 ? fd : null_fd, sp->places[at], O_CLOEXEC);
}

static void clear_places(struct spawner *sp)
{
    for (int at = 0; sp->filled && at < PLACES; at++)
        place(sp, at, -1);
    sp->filled = false;
}

int os_spawn_init(void)
{
    own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    cpu_set_t cpus;
    int most = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    most = MIN(most, (int)SPAWNERS);
    if (null_fd >= 0)
        return 0;
    for (int i = 0; i < most; i++)
        for (int at = 0; at < PLACES; at++) {
            int fd = fcntl(null, F_DUPFD_CLOEXEC, LOWEST_PLACE);
            if (fd < 0)
                return -1;
            spawners[i].places[at] = fd;
            highest_place = MAX(highest_place, fd);
        }
    n_spawners = most;
    null_fd = fcntl(null, F_DUPFD_CLOEXEC, LOWEST_PLACE);
    return null_fd < 0 ? -1 : 0;
}

/* valgrind knows fork and vfork, and no other clone. */
static bool may_borrow(void)
{
    static int answer = -1;
    if (answer < 0) {
        const char *preloaded = getenv("LD_PRELOAD");
        answer = close_range(~0U, ~0U, 0) == 0 && !(preloaded && strstr(preloaded, "vgpreload"));
    }
    return answer;
}

/* A child that became another program has left none of its functions: AddressSanitizer still forbids what
 * was theirs. */
static void clean_stack(char *stack)
{
#ifdef __SANITIZE_ADDRESS__
    ASAN_UNPOISON_MEMORY_REGION(stack, STACK);
#else
    (void)stack;
#endif
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_borrowed(const struct attempt *b)
{
    return __atomic_load_n(&b->borrowed, __ATOMIC_ACQUIRE);
}

/* Until the child has let go of our memory, less than a second. It has our errno too, which so says nothing.
 */
static void await_memory(const struct attempt *b, int ms)
{
    int64_t deadline = now_ms() + ms, left = ms;
    while (left > 0 && is_borrowed(b)) {
        struct timespec most = { .tv_nsec = left * 1000000 };
        syscall(SYS_futex, &b->borrowed, FUTEX_WAIT, 1, &most, NULL, 0);
        if (is_borrowed(b))
            left = deadline - now_ms();
    }
}

static pid_t clone_child(struct spawner *sp, struct attempt *b)
{
    char *stack = stacks[sp - spawners];
    int flags = CLONE_PARENT_SETTID | SIGCHLD;
    sigset_t all, was;
    if (b->report < 0)
        flags |= CLONE_VM | CLONE_FILES | CLONE_CHILD_CLEARTID;
    b->borrowed = b->report < 0;
    clean_stack(stack);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    pid_t pid = clone(child, stack + STACK, flags, b, b->how->born, NULL, &b->borrowed);
    int why = errno;
    if (pid > 0 && b->report < 0)
        await_memory(b, BORROW_MS);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    errno = why;
    return pid;
}

/* Ticks since boot, as the kernel counts a process's start (nsec_to_clock_t() in kernel/time/time.c). */
static uint64_t boot_ticks(void)
{
    struct timespec t;
    uint64_t per_second = (uint64_t)procstat_ticks_per_second();
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * per_second + (uint64_t)t.tv_nsec / (UINT64_C(1000000000) / per_second);
}

/* A child that was born within one tick started at that tick: to read it from /proc costs as much as all we
 * do ourselves for a birth. The first one shows whether that is so here. */
static uint64_t start_of(struct spawner *sp, pid_t pid, uint64_t before)
{
    uint64_t after = boot_ticks();
    struct proc_info now;
    if (sp->start == START_KNOWN && before == after)
        return before;
    if (!procstat_read(pid, &now))
        return 0;
    if (sp->start == START_UNTRIED)
        sp->start = now.start >= before && now.start <= after ? START_KNOWN : START_TO_READ;
    return now.start;
}

static void fail(struct os_birth *o, enum os_spawn_step step, int error)
{
    o->pid = -1;
    o->step = step;
    o->error = error;
}

static bool is_one_group_per_core_dump(void)
{
    struct utsname name;
    int major = 0, minor = 0;
    return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
           (major > 5 || (major == 5 && minor >= 16));
}

/* Asked each time: an administrator may change it. What cannot be read is not trusted. */
static bool may_borrow_as_user(void)
{
    char setting = '1';
    own_fd fd = open("/proc/sys/fs/suid_dumpable", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &setting, 1) != 1)
        return false;
    return setting == '0' || (setting == '2' && is_one_group_per_core_dump());
}

static bool is_apart(const struct os_spawn *s)
{
    if (!may_borrow() || now_ms() < __atomic_load_n(&impatient_until, __ATOMIC_RELAXED))
        return true;
    return s->has_user && s->uid != geteuid() && !may_borrow_as_user();
}

/* Without waiting for anything that the child does. */
static void spawn_apart(struct spawner *sp, struct os_birth *o)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0) {
        fail(o, SPAWN_FORK, errno);
        return;
    }
    own_fd report = pair[0], child_end = pair[1];
    struct attempt b = { .how = &o->how, .changed_signals = changed_signals(), .report = child_end };
    uint64_t before = boot_ticks();
    o->pid = clone_child(sp, &b);
    if (o->pid < 0) {
        fail(o, SPAWN_FORK, errno);
        return;
    }
    o->step = SPAWN_OK;
    o->start = start_of(sp, o->pid, before);
    o->report = steal_fd(report);
}

int os_spawn_read(int report, enum os_spawn_step *step, int *error)
{
    struct failure f;
    ssize_t n;
    do
        n = read(report, &f, sizeof(f));
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    *step = n == sizeof(f) ? f.step : SPAWN_OK;
    *error = n == sizeof(f) ? f.error : 0;
    return 1;
}

/* One that does not come to its exec. It runs no instruction any more once it has SIGKILL, though it may stay
 * in the system call it is in for ever; whoever reaps our children will find it. False: a kernel that does
 * not tell of an exec, or that does not let us kill. */
static bool give_up(const struct os_birth *o, const struct attempt *b)
{
    struct proc_info now;
    if ((procstat_read(o->pid, &now) && now.executed) || kill(o->pid, SIGKILL) < 0)
        return false;
    __atomic_store_n(&impatient_until, now_ms() + PATIENCE_MS, __ATOMIC_RELAXED);
    await_memory(b, KILL_MS); /* it may be in the middle of an instruction on another processor */
    return true;
}

static void spawn_one(struct spawner *sp, struct os_birth *o)
{
    const struct os_spawn *s = &o->how;
    struct attempt *b = &sp->attempt;
    o->report = -1;
    if (is_apart(s) || is_borrowed(b)) {
        spawn_apart(sp, o);
        return;
    }
    *b = (struct attempt){
        .how = s, .places = sp->places, .changed_signals = changed_signals(), .report = -1
    };
    sp->filled = true;
    if (place(sp, PLACE_IN, s->in) < 0 || place(sp, PLACE_OUT, s->out) < 0 ||
        place(sp, PLACE_ERR, s->err) < 0 || place(sp, PLACE_CHANNEL, s->channel) < 0) {
        fail(o, SPAWN_FORK, errno);
        return;
    }
    uint64_t before = boot_ticks();
    o->pid = clone_child(sp, b);
    if (o->pid < 0) {
        fail(o, SPAWN_FORK, errno);
        return;
    }
    if (is_borrowed(b) && give_up(o, b)) {
        spawn_apart(sp, o);
        return;
    }
    if (!b->error) {
        o->step = SPAWN_OK;
        o->start = start_of(sp, o->pid, before);
        return;
    }
    *s->born = 0;
    while (waitpid(o->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    fail(o, b->step, b->error);
}

/* Until none is left. Called and left with the lock held. */
static void spawn_all(struct spawner *sp)
{
    while (pool.next < pool.end) {
        struct os_birth *o = &pool.births[pool.next++];
        pool.busy++;
        pthread_mutex_unlock(&lock);
        spawn_one(sp, o);
        pthread_mutex_lock(&lock);
        pool.busy--;
    }
}

static void *spawner_main(void *arg)
{
    struct spawner *sp = arg;
    pthread_mutex_lock(&lock);
    for (;;) {
        spawn_all(sp);
        if (pool.busy == 0)
            pthread_cond_signal(&done);
        pthread_cond_wait(&more, &lock);
    }
    return NULL;
}

/* With all signals blocked: they are the main thread's. */
static void start_threads(size_t births)
{
    sigset_t all, was;
    pthread_t thread;
    pthread_attr_t attr;
    if (births < WORTH_A_THREAD || !may_borrow() || pool.threads == n_spawners - 1)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    while (pool.threads < n_spawners - 1) {
        if (pthread_create(&thread, &attr, spawner_main, &spawners[pool.threads + 1]) != 0)
            break; /* the others do it alone */
        pool.threads++;
    }
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
}

void os_spawn(struct os_birth *births, size_t n)
{
    if (null_fd < 0 && os_spawn_init() < 0) {
        for (size_t i = 0; i < n; i++) {
            births[i].report = -1;
            fail(&births[i], SPAWN_FORK, errno);
        }
        return;
    }
    changed_signals(); /* both are looked up before there is a second thread */
    procstat_ticks_per_second();
    pthread_mutex_lock(&lock);
    pool.births = births;
    pool.next = 0;
    pool.end = n;
    start_threads(n);
    pool.spread |= n > 1 && pool.threads;
    if (n > 1 && pool.threads)
        pthread_cond_broadcast(&more);
    spawn_all(&spawners[0]);
    while (pool.busy)
        pthread_cond_wait(&done, &lock);
    pthread_mutex_unlock(&lock);
}

void os_spawn_rest(void)
{
    if (pool.spread)
        madvise(stacks[1], sizeof(stacks) - STACK, MADV_DONTNEED);
    pool.spread = false;
    for (int i = 0; i < n_spawners; i++)
        clear_places(&spawners[i]);
}
