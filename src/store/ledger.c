#include "store/ledger.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/memfile.h"

/* The file: a head, the slots, and blocks from BLOCKS on. Pages that nobody touched take no memory. A block
 * is as large as its class: 16 bytes times 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 ... */
enum { VERSION = 1, UNIT = 16, FIRST_BYTES = 4 << 20, CLASSES = 112 };
static const char magic[8] = "velosled";

struct head {
    char magic[8];
    uint32_t version, spare;
    _Atomic uint64_t bytes; /* of the file: who has mapped less maps again */
    _Atomic uint64_t slots; /* in use so far, freed ones among them */
};

struct slot {
    _Atomic uint64_t block; /* offset; 0: free */
    _Atomic uint64_t ended; /* pid << 32 | wait status; 0: nothing */
};

struct block {
    uint32_t units; /* of UNIT bytes, this head included */
    uint32_t key_len;
    uint32_t text_len;
    _Atomic int32_t pid;
    char data[]; /* key, NUL, text, NUL */
};

enum { SLOTS = 4096, BLOCKS = SLOTS + LEDGER_SLOTS * (int)sizeof(struct slot) };

struct stack { /* of offsets */
    uint64_t *at;
    uint32_t n, cap;
};

struct ledger {
    int fd;
    char *base;
    uint64_t mapped;
    /* the writer's; made by the first put */
    bool writing;
    uint64_t top; /* nothing is used from here on */
    struct stack free_blocks[CLASSES], free_slots;
};

static struct head *head_of(const struct ledger *l)
{
    return (struct head *)(void *)l->base;
}

static struct slot *slot_at(const struct ledger *l, size_t slot)
{
    return (struct slot *)(void *)(l->base + SLOTS) + slot;
}

static struct block *block_at(const struct ledger *l, uint64_t offset)
{
    return (struct block *)(void *)(l->base + offset);
}

static void push(struct stack *s, uint64_t value)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 4;
        s->at = xrealloc(s->at, s->cap * sizeof(*s->at));
    }
    s->at[s->n++] = value;
}

/* Mapping. */

static int map(struct ledger *l, uint64_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
    if (p == MAP_FAILED)
        return -1;
    if (l->base)
        munmap(l->base, l->mapped);
    l->base = p;
    l->mapped = bytes;
    return 0;
}

/* The writer may have made it larger since we looked. */
static void follow(struct ledger *l)
{
    uint64_t bytes = atomic_load(&head_of(l)->bytes);
    if (bytes > l->mapped && map(l, bytes) < 0)
        return; /* what lies behind is not seen; bounds are checked */
}

int ledger_file(void)
{
    own_fd fd = os_memfile("velos-ledger", false);
    struct head h = { .version = VERSION, .bytes = FIRST_BYTES };
    memcpy(h.magic, magic, sizeof(magic));
    if (fd < 0 || ftruncate(fd, FIRST_BYTES) < 0 || pwrite(fd, &h, sizeof(h), 0) != sizeof(h))
        return -1;
    return steal_fd(fd);
}

int ledger_open(int fd, struct ledger **out, struct err *e)
{
    struct stat st;
    struct ledger *l = xnew(struct ledger);
    l->fd = fd;
    if (fstat(fd, &st) < 0 || st.st_size < BLOCKS || map(l, (uint64_t)st.st_size) < 0) {
        free(l);
        return err_sys(e, "ledger");
    }
    const struct head *h = head_of(l);
    if (memcmp(h->magic, magic, sizeof(magic)) != 0 || h->version != VERSION) {
        uint32_t version = h->version;
        ledger_free(l);
        return err_set(e, ERR_VERSION, "ledger of version %u; this is velos with version %d", version,
                       VERSION);
    }
    *out = l;
    return 0;
}

struct ledger *ledger_free(struct ledger *l)
{
    if (!l)
        return NULL;
    munmap(l->base, l->mapped);
    for (size_t c = 0; c < CLASSES; c++)
        free(l->free_blocks[c].at);
    free(l->free_slots.at);
    free(l);
    return NULL;
}

/* Reading. */

size_t ledger_len(const struct ledger *l)
{
    return MIN((size_t)atomic_load(&head_of(l)->slots), (size_t)LEDGER_SLOTS);
}

/* The slot's block if it lies where a block can be. */
static struct block *block_of(const struct ledger *l, size_t slot)
{
    uint64_t offset = atomic_load(&slot_at(l, slot)->block);
    if (offset < BLOCKS || offset % UNIT || offset + sizeof(struct block) > l->mapped)
        return NULL;
    struct block *b = block_at(l, offset);
    uint64_t bytes = (uint64_t)b->units * UNIT;
    if (offset + bytes > l->mapped || sizeof(*b) + (uint64_t)b->key_len + b->text_len + 2 > bytes)
        return NULL;
    return b;
}

bool ledger_read(const struct ledger *l, size_t slot, struct ledger_entry *out)
{
    const struct block *b = block_of(l, slot);
    if (!b)
        return false;
    uint64_t ended = atomic_load(&slot_at(l, slot)->ended);
    *out = (struct ledger_entry){
        .key = b->data,
        .text = b->data + b->key_len + 1,
        .len = b->text_len,
        .pid = atomic_load(&b->pid),
    };
    if (out->pid && ended >> 32 == (uint64_t)out->pid) {
        out->ended = true;
        out->status = (int)(uint32_t)ended;
    }
    return true;
}

bool ledger_has(const struct ledger *l, const char *key)
{
    struct ledger_entry e;
    for (size_t i = 0; i < ledger_len(l); i++)
        if (ledger_read(l, i, &e) && strcmp(e.key, key) == 0)
            return true;
    return false;
}

/* Blocks. */

static size_t class_of(uint32_t units)
{
    if (units <= 4)
        return 0;
    int shift = 31 - __builtin_clz(units - 1) - 2; /* so that (units - 1) >> shift is 4 to 7 */
    return (size_t)(shift * 4) + ((units - 1) >> shift) + 1 - 4;
}

static uint32_t units_of(size_t class)
{
    return (uint32_t)(4 + class % 4) << (class / 4);
}

/* What lies between two blocks is cut into pieces as large as classes are. */
static void free_gap(struct ledger *l, uint64_t from, uint64_t to)
{
    while (to - from >= (uint64_t)units_of(0) * UNIT) {
        uint64_t units = (to - from) / UNIT;
        size_t class = class_of((uint32_t)MIN(units, (uint64_t)LEDGER_TEXT_MOST / UNIT));
        while (class > 0 && units_of(class) > units)
            class --;
        block_at(l, from)->units = units_of(class);
        push(&l->free_blocks[class], from);
        from += (uint64_t)units_of(class) * UNIT;
    }
}

static int by_offset(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The first put: what did the writer before us use? */
static void begin_writing(struct ledger *l)
{
    struct stack used = { 0 };
    for (size_t i = 0; i < ledger_len(l); i++)
        if (block_of(l, i))
            push(&used, atomic_load(&slot_at(l, i)->block));
        else
            push(&l->free_slots, i);
    if (used.n)
        qsort(used.at, used.n, sizeof(*used.at), by_offset);
    l->top = BLOCKS;
    for (size_t i = 0; i < used.n; i++) {
        if (used.at[i] > l->top)
            free_gap(l, l->top, used.at[i]);
        l->top = used.at[i] + (uint64_t)block_at(l, used.at[i])->units * UNIT;
    }
    free(used.at);
    l->writing = true;
}

static int make_room(struct ledger *l, uint64_t bytes)
{
    uint64_t now = l->mapped;
    while (l->top + bytes > now)
        now *= 2;
    if (now == l->mapped)
        return 0;
    if (ftruncate(l->fd, (off_t)now) < 0 || map(l, now) < 0)
        return -1;
    atomic_store(&head_of(l)->bytes, now);
    return 0;
}

/* A block for so many bytes of data; 0 with errno. */
static uint64_t take_block(struct ledger *l, size_t bytes)
{
    size_t class = class_of((uint32_t)((sizeof(struct block) + bytes + UNIT - 1) / UNIT));
    struct stack *s = &l->free_blocks[class];
    if (s->n)
        return s->at[--s->n];
    uint64_t size = (uint64_t)units_of(class) * UNIT, offset;
    if (make_room(l, size) < 0)
        return 0;
    offset = l->top;
    l->top += size;
    block_at(l, offset)->units = units_of(class);
    return offset;
}

static void give_block(struct ledger *l, uint64_t offset)
{
    push(&l->free_blocks[class_of(block_at(l, offset)->units)], offset);
}

/* Writing. */

static int take_slot(struct ledger *l)
{
    if (l->free_slots.n)
        return (int)l->free_slots.at[--l->free_slots.n];
    size_t n = ledger_len(l);
    if (n == LEDGER_SLOTS) {
        errno = ENOSPC;
        return -1;
    }
    atomic_store(&head_of(l)->slots, n + 1);
    return (int)n;
}

int ledger_put(struct ledger *l, int *slot, const char *key, pid_t pid, const char *text, size_t len)
{
    size_t key_len = strlen(key);
    if (!l->writing)
        begin_writing(l);
    if (len > LEDGER_TEXT_MOST) {
        errno = E2BIG;
        return -1;
    }
    uint64_t offset = take_block(l, key_len + len + 2);
    if (!offset)
        return -1;
    int at = *slot < 0 ? take_slot(l) : *slot;
    if (at < 0) {
        give_block(l, offset);
        return -1;
    }
    struct block *b = block_at(l, offset);
    b->key_len = (uint32_t)key_len;
    b->text_len = (uint32_t)len;
    memcpy(b->data, key, key_len + 1);
    memcpy(b->data + key_len + 1, text, len);
    b->data[key_len + 1 + len] = '\0';
    atomic_store(&b->pid, (int32_t)pid);
    uint64_t before = atomic_exchange(&slot_at(l, (size_t)at)->block, offset);
    if (*slot >= 0 && before)
        give_block(l, before);
    *slot = at;
    return 0;
}

void ledger_delete(struct ledger *l, int *slot)
{
    if (*slot < 0)
        return;
    struct slot *s = slot_at(l, (size_t)*slot);
    if (!l->writing)
        begin_writing(l);
    uint64_t before = atomic_exchange(&s->block, 0);
    atomic_store(&s->ended, 0);
    if (before)
        give_block(l, before);
    push(&l->free_slots, (uint64_t)*slot);
    *slot = -1;
}

int32_t *ledger_child(struct ledger *l, int slot)
{
    struct slot *s = slot_at(l, (size_t)slot);
    atomic_store(&s->ended, 0);
    return (int32_t *)(void *)&block_at(l, atomic_load(&s->block))->pid;
}

/* The keeper's half. */

/* The writer may be at work: a block that is not the slot's any more says nothing. */
static pid_t child_of(const struct ledger *l, size_t slot)
{
    for (;;) {
        uint64_t block = atomic_load(&slot_at(l, slot)->block);
        const struct block *b = block_of(l, slot);
        pid_t pid = b ? atomic_load(&b->pid) : 0;
        if (atomic_load(&slot_at(l, slot)->block) == block)
            return pid;
    }
}

int ledger_find_child(struct ledger *l, pid_t pid)
{
    follow(l);
    for (size_t i = 0; i < ledger_len(l); i++)
        if (child_of(l, i) == pid)
            return (int)i;
    return -1;
}

void ledger_child_ended(struct ledger *l, int slot, pid_t pid, int status)
{
    atomic_store(&slot_at(l, (size_t)slot)->ended, (uint64_t)pid << 32 | (uint32_t)status);
}
