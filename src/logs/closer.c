#include "logs/closer.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "os/lowly.h"

enum {
    STACK = 64 << 10,
    MOST = 16, /* files that wait: they hold disk space */
    NOTHING = -1,
};

struct closer {
    atomic_int slots[MOST]; /* descriptors; filled in turn, emptied in turn */
    unsigned next;          /* to be filled */
    uv_sem_t filled;
    bool running;
    uv_thread_t thread;
};

static void run(void *arg)
{
    struct closer *c = arg;
    os_lowly(OS_LOWEST);
    for (unsigned i = 0;; i++) {
        uv_sem_wait(&c->filled);
        int fd = atomic_exchange(&c->slots[i % MOST], NOTHING);
        if (fd == NOTHING) /* closer_free() */
            return;
        close(fd);
    }
}

static bool is_running(struct closer *c)
{
    uv_thread_options_t options = { .flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK };
    if (!c->running)
        c->running = uv_thread_create_ex(&c->thread, &options, run, c) == 0;
    return c->running;
}

void closer_take(struct closer *c, int take_fd)
{
    atomic_int *slot = &c->slots[c->next % MOST];
    if (atomic_load(slot) != NOTHING || !is_running(c)) {
        close(take_fd);
        return;
    }
    atomic_store(slot, take_fd);
    c->next++;
    uv_sem_post(&c->filled);
}

struct closer *closer_new(void)
{
    struct closer *c = xnew(struct closer);
    for (int i = 0; i < MOST; i++)
        atomic_init(&c->slots[i], NOTHING);
    uv_sem_init(&c->filled, 0);
    return c;
}

struct closer *closer_free(struct closer *c)
{
    for (int i = 0; i < MOST; i++) {
        int fd = atomic_exchange(&c->slots[i], NOTHING);
        if (fd != NOTHING)
            close(fd);
    }
    uv_sem_post(&c->filled);
    if (c->running)
        uv_thread_join(&c->thread);
    uv_sem_destroy(&c->filled);
    free(c);
    return NULL;
}
