#include "cron/zone.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cron/rule.h"

static const char *const folders[] = { "/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo",
                                       "/var/db/timezone/zoneinfo" };
static const int64_t TIME_MOST = INT64_C(1) << 55; /* some files begin with the big bang */
enum { FILE_MOST = 1 << 20, NAME_MOST = 64 };

/* A time from which on something holds; the first one from the beginning. */
struct span {
    int64_t from;
    int offset;
    char name[16];
};

struct zone {
    struct span *spans;
    size_t n; /* at least 1 */
    bool has_rule;
    struct rule rule; /* holds behind the last span's beginning */
};

/* TZif ------------------------------------------------------------------------------------------------- */

struct reader {
    const unsigned char *at, *end;
};

static int64_t read_int(struct reader *r, size_t bytes)
{
    uint64_t n = 0;
    if ((size_t)(r->end - r->at) < bytes) {
        r->at = r->end;
        return 0;
    }
    if (*r->at & 0x80)
        n = UINT64_MAX;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | *r->at++;
    return (int64_t)n;
}

struct counts {
    size_t isut, isstd, leap, time, type, chars;
};

static bool read_header(struct reader *r, int *version, struct counts *c)
{
    if (r->end - r->at < 44 || memcmp(r->at, "TZif", 4) != 0)
        return false;
    *version = r->at[4];
    r->at += 20;
    size_t *const fields[] = { &c->isut, &c->isstd, &c->leap, &c->time, &c->type, &c->chars };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        *fields[i] = (size_t)read_int(r, 4) & UINT32_MAX;
    return c->time < FILE_MOST && c->type < 256 && c->chars < FILE_MOST && c->leap < FILE_MOST;
}

static size_t body_size(const struct counts *c, size_t width)
{
    return c->time * (width + 1) + c->type * 6 + c->chars + c->leap * (width + 4) + c->isstd + c->isut;
}

static bool read_span(const struct counts *c, const unsigned char *types, size_t type, struct span *out)
{
    const unsigned char *t = types + type * 6, *names = types + c->type * 6;
    struct reader r = { t, t + 4 };
    if (type >= c->type || t[5] >= c->chars)
        return false;
    out->offset = (int)read_int(&r, 4);
    size_t n = strnlen((const char *)names + t[5], c->chars - t[5]);
    memcpy(out->name, names + t[5], MIN(n, sizeof(out->name) - 1));
    return abs(out->offset) < 26 * 3600;
}

static bool read_body(struct reader *r, const struct counts *c, size_t width, struct zone *z)
{
    if ((size_t)(r->end - r->at) < body_size(c, width) || c->type == 0)
        return false;
    const unsigned char *indices = r->at + c->time * width, *types = indices + c->time;
    z->spans = xcalloc(c->time + 1, sizeof(*z->spans));
    z->n = 1;
    z->spans[0].from = INT64_MIN;
    if (!read_span(c, types, 0, &z->spans[0]))
        return false;
    for (size_t i = 0; i < c->time; i++) {
        struct span *s = &z->spans[z->n];
        s->from = read_int(r, width);
        s->from = MAX(MIN(s->from, TIME_MOST), -TIME_MOST);
        if (!read_span(c, types, indices[i], s) || s->from < s[-1].from)
            return false;
        z->n++;
    }
    r->at = types + c->type * 6 + c->chars + c->leap * (width + 4) + c->isstd + c->isut;
    return true;
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; nothing between: the last span holds for ever. */
static bool read_footer(struct reader *r, struct zone *z)
{
    char text[128];
    const unsigned char *end = r->at < r->end ? memchr(r->at + 1, '\n', (size_t)(r->end - r->at - 1)) : NULL;
    if (!end || *r->at != '\n' || (size_t)(end - r->at) >= sizeof(text))
        return false;
    memcpy(text, r->at + 1, (size_t)(end - r->at - 1));
    text[end - r->at - 1] = '\0';
    z->has_rule = *text != '\0';
    return !*text || rule_parse(text, &z->rule);
}

static bool parse(struct reader *r, struct zone *z)
{
    struct counts c;
    int version;
    if (!read_header(r, &version, &c))
        return false;
    if (version < '2')
        return read_body(r, &c, 4, z);
    if ((size_t)(r->end - r->at) < body_size(&c, 4))
        return false;
    r->at += body_size(&c, 4);
    return read_header(r, &version, &c) && read_body(r, &c, 8, z) && read_footer(r, z);
}

int zone_parse(const char *data, size_t n, struct zone **out, struct err *e)
{
    own_zone z = xnew(struct zone);
    struct reader r = { (const unsigned char *)data, (const unsigned char *)data + n };
    if (!parse(&r, z))
        return err_set(e, ERR_CONFIG, "not a time zone file");
    *out = steal(z);
    return 0;
}

struct zone *zone_from_rule(const char *posix_tz)
{
    struct zone *z = xnew(struct zone);
    z->has_rule = true;
    if (!rule_parse(posix_tz, &z->rule))
        return zone_free(z);
    z->spans = xcalloc(1, sizeof(*z->spans));
    z->spans[0].from = INT64_MIN;
    z->n = 1;
    return z;
}

struct zone *zone_free(struct zone *z)
{
    if (!z)
        return NULL;
    free(z->spans);
    free(z);
    return NULL;
}

void zone_cleanup(struct zone **z)
{
    *z = zone_free(*z);
}

/* Finding ---------------------------------------------------------------------------------------------- */

static int load_file(const char *path, struct zone **out, struct err *e)
{
    own_text data = NULL;
    size_t n;
    if (file_read(path, FILE_MOST, &data, &n, e) < 0)
        return -1;
    return zone_parse(data, n, out, e) < 0 ? err_in(e, "%s", path) : 0;
}

/* Area/City, nothing that leaves the folder. */
static bool is_name(const char *s)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    size_t n = strlen(s);
    return n >= 1 && n < NAME_MOST && strspn(s, allowed) == n && s[0] != '/' && s[n - 1] != '/' &&
           !strstr(s, "//");
}

/* The nearest name in the same area. */
static void hint_nearest(const char *name, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        const char *slash = strrchr(name, '/');
        own_text area = slash ? xstrndup(name, (size_t)(slash - name)) : xstrdup("");
        own_text path = path_join(folders[i], area);
        own_strv names = NULL;
        DIR *d = opendir(path);
        for (const struct dirent *f; d && (f = readdir(d));)
            if (f->d_name[0] != '.')
                names = strv_add(names, f->d_name);
        if (d)
            closedir(d);
        const char *near = names ? text_nearest(slash ? slash + 1 : name, (const char *const *)names) : NULL;
        if (near) {
            err_hint(e, "did you mean %s%s%s?", area, *area ? "/" : "", near);
            return;
        }
    }
}

static int load_named(const char *name, struct zone **out, struct err *e)
{
    for (size_t i = 0; is_name(name) && i < ARRAY_LEN(folders); i++) {
        own_text path = path_join(folders[i], name);
        if (load_file(path, out, e) == 0)
            return 0;
    }
    if (strcmp(name, "UTC") == 0 && (*out = zone_from_rule("UTC0")))
        return 0;
    err_set(e, ERR_CONFIG, "no time zone `%.60s` in %s", name, folders[0]);
    if (is_name(name))
        hint_nearest(name, e);
    return -1;
}

/* As any program of this machine would have it; "" is UTC. */
static bool load_hosts(struct zone **out)
{
    struct err e;
    const char *tz = getenv("TZ");
    if (!tz)
        return load_file("/etc/localtime", out, &e) == 0;
    tz += *tz == ':';
    if (!*tz)
        return false;
    if ((*tz == '/' ? load_file(tz, out, &e) : load_named(tz, out, &e)) == 0)
        return true;
    *out = zone_from_rule(tz);
    return *out != NULL;
}

int zone_load(const char *name, struct zone **out, struct err *e)
{
    if (name)
        return load_named(name, out, e);
    if (!load_hosts(out))
        *out = zone_from_rule("UTC0");
    return 0;
}

/* Asking ----------------------------------------------------------------------------------------------- */

struct zone_time zone_at(const struct zone *z, int64_t instant)
{
    struct zone_time t = { 0 };
    size_t low = 0, high = z->n;
    while (high - low > 1) { /* the last that has begun */
        size_t middle = low + (high - low) / 2;
        if (z->spans[middle].from <= instant)
            low = middle;
        else
            high = middle;
    }
    const struct span *s = &z->spans[low];
    if (low + 1 < z->n || !z->has_rule) {
        t.offset = s->offset;
        t.change = low + 1 < z->n ? s[1].from : INT64_MAX;
        memcpy(t.name, s->name, sizeof(t.name));
        return t;
    }
    int which = rule_at(&z->rule, instant, &t.change);
    t.offset = z->rule.offset[which];
    memcpy(t.name, z->rule.name[which], sizeof(t.name));
    return t;
}

/* Between two changes wall and instant differ by the offset. So the spans are walked from well before the
 * wall time: the first that contains it has it; one that begins behind it shows that it was skipped. */
int64_t zone_instant(const struct zone *z, int64_t wall, int64_t *again)
{
    int64_t from = wall - INT64_C(3) * 86400;
    *again = wall;
    for (struct zone_time t = zone_at(z, from);; from = t.change, t = zone_at(z, from)) {
        int64_t instant = wall - t.offset;
        if (instant < from)
            return from;
        if (instant >= t.change)
            continue;
        if (t.change != INT64_MAX) {
            int after = zone_at(z, t.change).offset;
            if (after < t.offset && wall >= t.change + after)
                *again = t.change + t.offset;
        }
        return instant;
    }
}
