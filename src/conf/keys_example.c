/* The rows as a velos.toml to begin with: `velos init`. */
#include "conf/keys.h"

#include <string.h>

enum { WIDTH = 100 };

/* What a key means, in lines behind "# ". */
static void add_about(struct buf *out, const char *text)
{
    size_t column = WIDTH;
    for (size_t n; *text; text += n + strspn(text + n, " ")) {
        n = strcspn(text, " ");
        bool wrap = column + 1 + n > WIDTH;
        if (wrap)
            column = 1;
        buf_addf(out, "%s %.*s", wrap ? "\n#" : "", (int)n, text);
        column += 1 + n;
    }
    buf_addc(out, '\n');
}

/* A default, which is written as people say it, as TOML. */
static void add_value(struct buf *out, const struct key *k)
{
    const char *v = k->def, *digits = v + (*v == '-');
    bool plain = strcmp(v, "true") == 0 || strcmp(v, "false") == 0;
    bool number = *digits && digits[strspn(digits, "0123456789")] == '\0';
    if (!plain && k->flags & KEY_LIST)
        buf_addf(out, "[%s]", v);
    else if (plain || number)
        buf_adds(out, v);
    else
        buf_addf(out, strchr(v, '"') ? "'%s'" : "\"%s\"", v);
}

static void add_key(struct buf *out, const struct key *k)
{
    add_about(out, k->about);
    buf_addf(out, "# %s = ", k->name);
    if (k->def)
        add_value(out, k);
    else
        buf_adds(out, k->example);
    buf_addc(out, '\n');
}

void keys_write_example(struct buf *out, const char *table)
{
    for (const struct key *k = keys; k < keys + keys_len; k++)
        if (k->type != KEY_ENV && !(k->flags & KEY_REQUIRED))
            add_key(out, k);
    for (const struct key *k = keys; k < keys + keys_len; k++)
        if (k->type == KEY_ENV) {
            add_about(out, k->about);
            buf_addf(out, "# [apps.%s.%s]\n# %s\n", table, k->name, k->example);
        }
}
