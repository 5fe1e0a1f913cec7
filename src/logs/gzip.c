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

/* Reading. */

struct inflater {
    z_stream z;
    int fd;
    int64_t at, file_at; /* the next byte of the text; of the file */
    bool ended;
    unsigned char in[BLOCK];
};

struct inflater *inflater_new(int fd)
{
    struct inflater *i = xnew(struct inflater);
    i->fd = fd;
    i->ended = inflateInit2(&i->z, GZIP_WINDOW) != Z_OK;
    return i;
}

struct inflater *inflater_free(struct inflater *i)
{
    if (i)
        inflateEnd(&i->z);
    free(i);
    return NULL;
}

static void start_over(struct inflater *i)
{
    inflateReset(&i->z);
    i->z.avail_in = 0;
    i->at = i->file_at = 0;
    i->ended = false;
}

static bool feed(struct inflater *i)
{
    ssize_t n;
    while ((n = pread(i->fd, i->in, BLOCK, (off_t)i->file_at)) < 0 && errno == EINTR)
        ;
    if (n <= 0)
        return false;
    i->file_at += n;
    i->z.next_in = i->in;
    i->z.avail_in = (uInt)n;
    return true;
}

static size_t inflate_some(struct inflater *i, char *out, size_t n)
{
    i->z.next_out = (unsigned char *)out;
    i->z.avail_out = (uInt)MIN(n, (size_t)1 << 30);
    while (i->z.avail_out && !i->ended) {
        if (i->z.avail_in == 0 && !feed(i))
            break;
        int r = inflate(&i->z, Z_NO_FLUSH);
        if (r == Z_STREAM_END) /* others join their archives: there may be another member */
            r = inflateReset(&i->z);
        i->ended = r != Z_OK && r != Z_BUF_ERROR;
    }
    size_t got = MIN(n, (size_t)1 << 30) - i->z.avail_out;
    i->at += (int64_t)got;
    return got;
}

ssize_t inflater_read(struct inflater *i, char *out, size_t n, int64_t offset)
{
    char skipped[4096];
    if (offset < i->at)
        start_over(i);
    while (i->at < offset)
        if (inflate_some(i, skipped, MIN(sizeof(skipped), (size_t)(offset - i->at))) == 0)
            return 0;
    return (ssize_t)inflate_some(i, out, n);
}
