#include "cli/out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "proto/proto.h"

bool out_is_color_word(const char *when)
{
    return strcmp(when, "auto") == 0 || strcmp(when, "always") == 0 || strcmp(when, "never") == 0;
}

bool out_color_wanted(const char *when, int fd)
{
    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no && no[0]) && !(term && strcmp(term, "dumb") == 0) && isatty(fd);
}

int out_write(const struct buf *b, struct err *e)
{
    if (b->len == 0 || file_write_all(STDOUT_FILENO, b->data, b->len, e) == 0)
        return 0;
    if (e->sys == EPIPE)
        exit(0);
    return err_in(e, "stdout");
}

static int add_chunk(const char *data, size_t n, void *arg)
{
    buf_add(arg, data, n);
    return 0;
}

int out_json(const json_t *j, struct err *e)
{
    own_buf text = { 0 };
    size_t look = isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT;
    json_dump_callback(j, add_chunk, &text, look | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    buf_addc(&text, '\n');
    return out_write(&text, e);
}

int out_json_text(const char *text, size_t n, struct err *e)
{
    if (!isatty(STDOUT_FILENO)) {
        own_buf line = { 0 };
        buf_add(&line, text, n);
        buf_addc(&line, '\n');
        return out_write(&line, e);
    }
    own_json j = NULL;
    return json_parse(text, n, &j, e) < 0 ? -1 : out_json(j, e);
}

static void say(const struct buf *line)
{
    struct err e;
    if (file_write_all(STDERR_FILENO, line->data, line->len, &e) < 0)
        return; /* there is nobody left to tell */
}

/* Names in it may hold anything; it is one line all the same. */
static void add_line(struct buf *out, const char *lead, const char *text)
{
    buf_adds(out, lead);
    buf_add_shown(out, text);
    buf_addc(out, '\n');
}

void out_error(const struct err *e, bool json)
{
    own_buf text = { 0 };
    if (json) {
        struct json_out j = JSON_OUT(&text);
        json_open(&j, NULL, '{');
        proto_write_error(&j, "error", e);
        json_close(&j, '}');
        buf_addc(&text, '\n');
    } else {
        add_line(&text, "velos: ", e->text);
        if (e->hint[0])
            add_line(&text, "hint: ", e->hint);
    }
    say(&text);
}

void out_note(const char *fmt, ...)
{
    own_buf text = { 0 }, line = { 0 };
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    add_line(&line, "velos: ", text.data);
    say(&line);
}

void out_wrap(struct buf *out, const char *text, size_t indent, size_t at, size_t width)
{
    for (bool first = true; *text; first = false) {
        size_t n = strcspn(text, " ");
        if (!first && width && at + 1 + n > width) {
            buf_addf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!first) {
            buf_addc(out, ' ');
            at++;
        }
        buf_add(out, text, n);
        at += n;
        text += n + strspn(text + n, " ");
    }
}

static int number_in(const char *name, int fallback)
{
    const char *text = getenv(name);
    int n = text ? atoi(text) : 0;
    return n > 0 ? n : fallback;
}

struct out_size out_terminal(int fd)
{
    struct winsize w = { 0 };
    ioctl(fd, TIOCGWINSZ, &w);
    return (struct out_size){
        .width = w.ws_col ? w.ws_col : number_in("COLUMNS", 80),
        .height = w.ws_row ? w.ws_row : number_in("LINES", 24),
    };
}
