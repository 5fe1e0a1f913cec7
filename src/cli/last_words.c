#include "cli/last_words.h"

#include <ctype.h>

#include "base/file.h"
#include "logs/tail.h"
#include "proto/client.h"

enum { LINE_MOST = 200 };

struct words {
    struct buf *out;
    const char *prefix;
};

/* An app's output may hold anything; a terminal should see text. */
static void add_line(void *arg, const char *line, size_t n)
{
    const struct words *w = arg;
    buf_adds(w->out, w->prefix);
    for (size_t i = 0; i < MIN(n, (size_t)LINE_MOST); i++)
        buf_addc(w->out, iscntrl((unsigned char)line[i]) ? ' ' : line[i]);
    buf_adds(w->out, n > LINE_MOST ? "...\n" : "\n");
}

void last_words(struct buf *out, const char *path, size_t lines, const char *prefix)
{
    struct words w = { out, prefix };
    own_text home = client_home();
    own_text logs = path_join(home, "logs");
    own_rights rights = rights_of_path(path, logs); /* root reads no more than the app's user may */
    struct tail *t = tail_new(path, rights);
    tail_seek(t, lines);
    tail_read(t, add_line, &w);
    tail_flush(t, add_line, &w);
    tail_free(t);
}
