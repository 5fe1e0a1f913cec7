#include "logs/lines.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/time.h"

struct lines {
    bool json, open;
    char *date_format, *whose; /* json: ","stream":...,"message":" */
    struct buf head;           /* of each line, made anew when the time it shows is another */
    int64_t head_for;
};

static char *describe(const struct lines_rules *r)
{
    own_buf b = { 0 };
    struct json_out j = JSON_OUT(&b);
    j.comma = true;
    json_str(&j, "stream", r->stream);
    json_str(&j, "app", r->app);
    json_int(&j, "id", r->id);
    buf_adds(&b, ",\"message\":");
    return buf_steal(&b);
}

struct lines *lines_new(const struct lines_rules *r)
{
    struct lines *l = xnew(struct lines);
    l->json = r->json;
    l->head_for = -1;
    if (r->json)
        l->whose = describe(r);
    else
        l->date_format = xstrdup(r->date_format);
    return l;
}

struct lines *lines_free(struct lines *l)
{
    if (!l)
        return NULL;
    free(l->date_format);
    free(l->whose);
    buf_done(&l->head);
    free(l);
    return NULL;
}

static void make_head(struct lines *l, int64_t now_us)
{
    int64_t shown = l->json ? now_us / 1000 : now_us / 1000000;
    if (shown == l->head_for)
        return;
    l->head_for = shown;
    buf_clear(&l->head);
    if (l->json) {
        char text[TIME_TEXT];
        buf_addf(&l->head, "{\"time\":\"%s\"%s", time_rfc3339(shown, text), l->whose);
        return;
    }
    char text[TIME_DATED];
    time_t s = (time_t)shown;
    struct tm tm;
    localtime_r(&s, &tm);
    buf_add(&l->head, text, strftime(text, sizeof(text), l->date_format, &tm));
}

static char *put(char *to, const void *from, size_t n)
{
    memcpy(to, from, n);
    return to + n;
}

/* Most lines need no change: one reservation and a few copies. */
static void add_json(struct lines *l, const char *line, size_t n, bool whole, struct buf *out)
{
    static const char end[] = "\"}\n", piece_end[] = "\",\"partial\":true}\n";
    buf_reserve(out, l->head.len + n + sizeof(piece_end) + 1);
    if (json_plain(line, n) == n) {
        char *to = put(out->data + out->len, l->head.data, l->head.len);
        *to++ = '"';
        to = put(to, line, n);
        to = whole ? put(to, end, sizeof(end) - 1) : put(to, piece_end, sizeof(piece_end) - 1);
        *to = '\0';
        out->len = (size_t)(to - out->data);
        return;
    }
    struct json_out j = JSON_OUT(out);
    buf_add(out, l->head.data, l->head.len);
    json_strn(&j, NULL, line, n);
    buf_adds(out, whole ? end + 1 : piece_end + 1);
}

static void add_dated(struct lines *l, const char *line, size_t n, bool whole, struct buf *out)
{
    buf_reserve(out, l->head.len + n + 1);
    char *to = out->data + out->len;
    if (!l->open)
        to = put(to, l->head.data, l->head.len);
    to = put(to, line, n);
    if (whole)
        *to++ = '\n';
    *to = '\0';
    out->len = (size_t)(to - out->data);
    l->open = !whole;
}

static void add(struct lines *l, const char *line, size_t n, bool whole, struct buf *out)
{
    if (l->json)
        add_json(l, line, n, whole, out);
    else
        add_dated(l, line, n, whole, out);
}

size_t lines_format(struct lines *l, int64_t now_us, const char *in, size_t n, size_t most, struct buf *out)
{
    const char *at = in, *end = in + n, *newline;
    make_head(l, now_us);
    while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
        size_t before = out->len, len = (size_t)(newline - at);
        bool was_open = l->open;
        if (before && before + len > most)
            break; /* without looking closer: it gets longer still */
        add(l, at, len, true, out);
        if (before && out->len > most) {
            out->len = before;
            l->open = was_open;
            break;
        }
        at = newline + 1;
    }
    return (size_t)(at - in);
}

/* The first `have` bytes of a character of `len`: could it become one? */
static bool may_become(const char *bytes, size_t have, size_t len)
{
    static const char seconds[] = { '\x80', '\x90',
                                    '\xa0' }; /* a lead byte allows some of these (Unicode, table 3-7) */
    char whole[4];
    memset(whole, '\x80', sizeof(whole));
    memcpy(whole, bytes, have);
    for (size_t i = 0; i < sizeof(seconds); i++) {
        if (have == 1)
            whole[1] = seconds[i];
        if (text_utf8_len(whole, len) == len)
            return true;
    }
    return false;
}

size_t lines_whole(const struct lines *l, const char *in, size_t n)
{
    for (size_t have = 1; l->json && have < 4 && have <= n; have++) {
        unsigned char lead = (unsigned char)in[n - have];
        size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
        if (len)
            return len > have && may_become(in + n - have, have, len) ? n - have : n;
        if (lead < 0x80)
            break;
    }
    return n;
}

void lines_piece(struct lines *l, int64_t now_us, const char *in, size_t n, struct buf *out)
{
    make_head(l, now_us);
    add(l, in, n, false, out);
}

void lines_set_open(struct lines *l, bool open)
{
    l->open = open && !l->json;
}

bool lines_open(const struct lines *l)
{
    return l->open;
}
