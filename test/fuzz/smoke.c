/* A short run of a fuzz target where there is no libFuzzer: inputs are lines of a seed file, mutated.
 *
 *     fuzz-cron SEEDS COUNT [SEED]       a seed plays the same again */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { LINE = 1 << 14 };
static uint64_t state;

static size_t chance(size_t below)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (size_t)((z ^ (z >> 31)) % below);
}

/* "\x01" and the like are bytes, so that a line can hold any. */
static void add_line(struct buf *out, const char *line)
{
    for (; *line && *line != '\n'; line++) {
        unsigned byte;
        if (line[0] == '\\' && line[1] == 'x' && sscanf(line + 2, "%2x", &byte) == 1) {
            buf_addc(out, (char)byte);
            line += 3;
        } else {
            buf_addc(out, *line);
        }
    }
}

/* Changes a few bytes, takes a piece out, or puts in a piece of another seed. */
static void mutate(struct buf *b, const struct buf *other)
{
    size_t at = b->len ? chance(b->len) : 0, n = b->len ? chance(MIN(b->len - at, (size_t)16) + 1) : 0;
    switch (chance(4)) {
    case 0:
        if (b->len)
            b->data[at] = (char)chance(256);
        break;
    case 1:
        if (b->len) {
            memmove(b->data + at, b->data + at + n, b->len - at - n);
            b->len -= n;
        }
        break;
    case 2: {
        own_buf tail = { 0 };
        buf_add(&tail, b->data ? b->data + at : "", b->len - at);
        b->len = at;
        size_t from = other->len ? chance(other->len) : 0;
        buf_add(b, other->data ? other->data + from : "", other->len ? chance(other->len - from) + 1 : 0);
        buf_add(b, tail.data ? tail.data : "", tail.len);
        break;
    }
    default:
        if (b->len)
            b->data[at] = "0123456789*/,-?L!#[]\\ \t"[chance(23)];
    }
}

int main(int argc, char **argv)
{
    static struct buf seeds[1024];
    size_t n = 0;
    char line[LINE];
    FILE *f = argc > 2 ? fopen(argv[1], "r") : NULL;
    if (!f) {
        fprintf(stderr, "usage: %s SEEDS COUNT [SEED]\n", argv[0]);
        return 2;
    }
    while (n < ARRAY_LEN(seeds) && fgets(line, sizeof(line), f))
        add_line(&seeds[n++], line);
    fclose(f);
    unsigned long seed = argc > 3 ? strtoul(argv[3], NULL, 10) : (unsigned long)time(NULL);
    long count = strtol(argv[2], NULL, 10);
    printf("seed %lu\n", seed);
    fflush(stdout);
    state = seed;
    for (long i = 0; i < count; i++) {
        own_buf input = { 0 };
        const struct buf *from = &seeds[chance(n)];
        buf_add(&input, from->data ? from->data : "", from->len);
        for (size_t k = chance(5); k > 0; k--)
            mutate(&input, &seeds[chance(n)]);
        own_text exact = xmalloc(input.len + 1); /* no larger than it is: sanitizers see a step too far */
        memcpy(exact, input.data ? input.data : "", input.len);
        LLVMFuzzerTestOneInput((const uint8_t *)exact, input.len);
    }
    for (size_t i = 0; i < n; i++)
        buf_done(&seeds[i]);
    printf("[  PASSED  ] 1 test(s).\n");
    return 0;
}
