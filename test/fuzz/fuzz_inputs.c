/* Small inputs that come from apps and their users; the first byte chooses the reader: a notify datagram, a
 * line of a Node channel, an env_file, the limits of a caller, the index of a log, a ledger.
 *
 *   Built by meson as fuzz-inputs (smoke.c); `build-san/test/fuzz/fuzz-inputs test/fuzz/inputs.seeds 5000000`
 * runs minutes of it under sanitizers. */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/list.h"
#include "channel/channel.h"
#include "channel/notify.h"
#include "conf/dotenv.h"
#include "conf/limits.h"
#include "logs/marks.h"
#include "logs/names.h"
#include "logs/place.h"
#include "store/ledger.h"

static void notice(const char *text, size_t n)
{
    struct notice got = { 0 };
    notice_parse(text, n, &got);
    if (!got.has_status)
        return;
    assert(memchr(got.status, '\0', sizeof(got.status)));
    for (const char *c = got.status; *c; c++)
        assert((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void channel(const char *text, size_t n)
{
    (void)channel_is_ready(text, n);
}

static void variables(const char *text, size_t n)
{
    struct err e;
    own_strv got = NULL;
    if (dotenv_parse(text, n, &got, &e) < 0) {
        assert(e.text[0]);
        return;
    }
    for (char **v = got; v && *v; v++)
        assert(strchr(*v, '='));
}

static void limits(const char *text, size_t n)
{
    struct err e;
    own_json o = NULL;
    own_text taken = NULL;
    struct os_limits got;
    if (json_parse(text, n, &o, &e) < 0 || limits_take(o, &taken, &e) < 0) {
        assert(e.text[0]);
        return;
    }
    limits_read(taken, &got);
}

/* What is believed of an index lies within its log, in order. */
static void index_of_log(const char *text, size_t n)
{
    enum { INODE = 7, SIZE = 100000 };
    static char dir[32];
    struct err e;
    if (!dir[0]) {
        strcpy(dir, "/tmp/velos-fuzz-XXXXXX");
        if (!mkdtemp(dir))
            assert(!"mkdtemp");
    }
    own_text log = path_join(dir, "a.log");
    own_text name = names_index(log, INODE);
    own_fd fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    static const uint64_t inode = INODE;
    assert(fd >= 0 && file_write_all(fd, "velosidx", 8, &e) == 0 && file_write_all(fd, &inode, 8, &e) == 0);
    assert(file_write_all(fd, text, n, &e) == 0);
    size_t count = 0;
    struct place at = place_own(log);
    struct mark *marks = marks_read(&at, INODE, SIZE, &count);
    assert(count <= SIZE);
    for (size_t i = 0; i < count; i += 1 + count / 8)
        (void)marks_time(marks, count, marks[i].offset);
    free(marks);
    unlink(name);
    rmdir(dir);
    dir[0] = '\0';
}

static void ledger(const char *text, size_t n)
{
    struct err e;
    struct ledger *l = NULL;
    own_fd fd = ledger_file();
    if (fd < 0 || pwrite(fd, text, n, 0) < 0)
        assert(!"ledger file");
    if (ledger_open(fd, &l, &e) < 0) {
        assert(e.text[0]);
        return;
    }
    for (size_t i = 0; i < ledger_len(l); i++) {
        struct ledger_entry entry;
        (void)ledger_read(l, i, &entry);
    }
    ledger_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static void (*const readers[])(const char *, size_t) = { notice, channel,      variables,
                                                             limits, index_of_log, ledger };
    if (n)
        readers[data[0] % ARRAY_LEN(readers)]((const char *)data + 1, n - 1);
    return 0;
}
