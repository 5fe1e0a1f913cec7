/* src/cli/out.h: what people and programs see: data on stdout, everything else on stderr. */
#pragma once
#include "base/json.h"

/* Whether colours are wanted on fd: `when` is always, never or auto (a terminal, and NO_COLOR is not set). */
bool out_color_wanted(const char *when, int fd);
bool out_is_color_word(const char *when);

/* Ends the program quietly when nobody reads any more (`velos list | head -1`). */
must_check int out_write(const struct buf *b, struct err *e);
must_check int out_json(const json_t *j, struct err *e); /* indented on a terminal, one line elsewhere */
must_check int out_json_text(const char *text, size_t n,
                             struct err *e); /* the same, of what is JSON already */

/* "velos: text" and "hint: ..." on stderr; or, as JSON, {"error":{...}}. */
void out_error(const struct err *e, bool json);
void out_note(const char *fmt, ...) printf_like(1, 2); /* "velos: ..." on stderr, not an error */

/* text, wrapped at blanks to `width` columns (0: never), each line but the first behind `indent` blanks; on
 * the first one `at` columns are used already. */
void out_wrap(struct buf *out, const char *text, size_t indent, size_t at, size_t width);

struct out_size {
    int width, height;
};
struct out_size out_terminal(int fd); /* 80 x 24 when it does not tell */
