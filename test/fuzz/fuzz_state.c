/* state.json: whatever stands there, no app is made of nonsense, and what is written of the apps that were
 * made reads back as the same.
 *
 *   clang -std=gnu17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -Ibuild \
 *     -o /tmp/fuzz_state test/fuzz/fuzz_state.c src/os/posix/unixsock.c $(find src/base src/conf src/app \
 *     src/store src/logs src/metrics src/channel src/proto src/os/linux -name '*.c' |
 *     grep -v -e _test -e config.c -e _file.c) src/store/state_file.c -luv -ljansson -lz &&
 *     /tmp/fuzz_state -max_total_time=60 */
#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/saved.h"

static uv_loop_t loop;

static void ignore(void *arg)
{
}

static void open_world(struct world *w)
{
    static const struct keeper_link_events events = { .drained = ignore, .gone = ignore };
    int pair[2];
    struct err e;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
        assert(!"socketpair");
    close(pair[1]);
    memset(w, 0, sizeof(*w));
    uv_loop_init(&loop);
    world_init(w, &loop, "/home");
    w->keeper = keeper_link_new(&loop, pair[0], &events, NULL);
    w->ledger_fd = ledger_file();
    if (ledger_open(w->ledger_fd, &w->ledger, &e) < 0)
        assert(!"ledger");
}

static void close_world(struct world *w)
{
    world_done(w);
    w->keeper = keeper_link_free(w->keeper);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

/* Restores all of it; what is written then, from the apps on. */
static char *pass(const char *text, size_t n)
{
    struct world w;
    struct err e;
    own_json saved = NULL;
    if (saved_parse(text, n, &saved, &e) < 0)
        return NULL;
    open_world(&w);
    saved_begin(&w, saved);
    for (size_t i = 0; i < saved_len(saved); i++) {
        struct app *a = NULL;
        int made = saved_restore(&w, saved, i, false, &a, &e);
        assert(made < 0 || (a && a->n > 0 && a->spec->name && a->spec->script && a->spec->cwd));
    }
    own_buf out = { 0 };
    saved_write(&w, &out);
    close_world(&w);
    return buf_steal(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    own_text once = pass((const char *)data, n);
    if (!once)
        return 0;
    own_text twice = pass(once, strlen(once));
    assert(twice && strcmp(strstr(once, "\"apps\""), strstr(twice, "\"apps\"")) == 0);
    return 0;
}
