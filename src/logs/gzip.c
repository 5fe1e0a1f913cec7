#include "logs/gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"

enum { BLOCK = 64 << 10, LEVEL = 6, GZIP_WINDOW = 15 + 16 };

struct work {
    z_stream z;
    int from, to;
    unsigned char in[BLOCK], out[BLOCK];
};

/* What deflate has to say to what it was given. */
static int squeeze(struct work *w, int flush)
{
    struct err e;
    do {
        w->z.next_out = w->out;
        w->z.avail_out = BLOCK;
        if (deflate(&w->z, flush) == Z_STREAM_ERROR)
            return -1;
        if (file_write_all(w->to, w->out, BLOCK - w->z.avail_out, &e) < 0)
            return -1;
    } while (w->z.avail_out == 0);
    return 0;
}

static int squeeze_all(struct work *w, const atomic_bool *leave)
{
    for (;;) {
        ssize_t n = read(w->from, w->in, BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || *leave)
            return -1;
        w->z.next_in = w->in;
        w->z.avail_in = (uInt)n;
        if (squeeze(w, n == 0 ? Z_FINISH : Z_NO_FLUSH) < 0)
            return -1;
        if (n == 0)
            return 0;
    }
}

int gzip_file(int from, int to, const atomic_bool *leave)
{
    struct work *w = xnew(struct work);
    w->from = from;
    w->to = to;
    int r = deflateInit2(&w->z, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK ? 0 : -1;
    if (r == 0)
        r = squeeze_all(w, leave);
    deflateEnd(&w->z);
    free(w);
    return r;
}
