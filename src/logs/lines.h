/* src/logs/lines.h: what log_date_format and log_type = "json" make of an app's lines. Pure: the time is
 * told. */
#pragma once
#include "base/text.h"

struct lines_rules {
    bool json;               /* else dated */
    const char *date_format; /* strftime */
    const char *stream;      /* "out", "err" */
    const char *app;
    int64_t id;
};

struct lines;
struct lines *lines_new(const struct lines_rules *rules);
struct lines *lines_free(struct lines *l);

/* Appends the whole lines at the head of `in`, until `out` has `most` bytes or more would be in it; the first
 * is taken whatever its length. Returns how many bytes of `in` those were. */
size_t lines_format(struct lines *l, int64_t now_us, const char *in, size_t n, size_t most, struct buf *out);

/* How much of the piece `in` may be written now: JSON is text, and a character whose last bytes are yet to
 * come is left out. Bytes that no character begins with are not waited for. */
size_t lines_whole(const struct lines *l, const char *in, size_t n);

/* A piece of a line whose end is not there yet, and will not be waited for. */
void lines_piece(struct lines *l, int64_t now_us, const char *in, size_t n, struct buf *out);

/* The file ends in a piece that is a dated line's (read back from it when we come new to it). */
void lines_set_open(struct lines *l, bool open);
bool lines_open(const struct lines *l);
