#include "cli/table.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/status.h"

enum {
    COLUMNS_MOST = 16,
    SHRINK_FIRST = 20, /* names are cut down to this before a column goes ... */
    SHRINK_LAST = 6,   /* ... and to this when none is left that could */
};

struct row {
    char **cells;
    size_t colored;
    const char *color;
};

struct table {
    const struct table_column *columns;
    size_t n;
    struct row *rows;
    size_t n_rows, cap;
};

struct table_look table_look_of_stdout(const char *color)
{
    struct table_look look = { .colors = out_color_wanted(color, STDOUT_FILENO) };
    if (!isatty(STDOUT_FILENO))
        return look;
    setlocale(LC_CTYPE, "");
    look.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    look.width = out_terminal(STDOUT_FILENO).width;
    look.boxes = true;
    return look;
}

struct table *table_new(const struct table_column *columns, size_t n)
{
    struct table *t = xnew(struct table);
    t->columns = columns;
    t->n = n;
    return t;
}

struct table *table_free(struct table *t)
{
    for (size_t i = 0; t && i < t->n_rows; i++)
        strv_free(t->rows[i].cells);
    if (t)
        free(t->rows);
    free(t);
    return NULL;
}

void table_add(struct table *t, const char *const *cells, size_t colored, const char *color)
{
    if (t->n_rows == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->rows = xrealloc(t->rows, t->cap * sizeof(*t->rows));
    }
    t->rows[t->n_rows++] = (struct row){ strv_copy((char *const *)cells), colored, color };
}

/* What fits -------------------------------------------------------------------------------------------- */

struct fit {
    int widths[COLUMNS_MOST];
    bool gone[COLUMNS_MOST];
};

/* Characters, and so columns: what a table holds (names, numbers) is never wide nor combining. */
static int width_of(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += (*s & 0xc0) != 0x80;
    return n;
}

static const char *head(const struct table_column *c, const struct table_look *look)
{
    return look->utf8 && c->symbol ? c->symbol : c->name;
}

static void measure(const struct table *t, const struct table_look *look, struct fit *f)
{
    for (size_t i = 0; i < t->n; i++) {
        f->widths[i] = width_of(head(&t->columns[i], look));
        for (size_t r = 0; r < t->n_rows; r++)
            f->widths[i] = MAX(f->widths[i], width_of(t->rows[r].cells[i]));
    }
}

static int total(const struct table *t, const struct table_look *look, const struct fit *f)
{
    int sum = look->boxes ? 1 : -2;
    for (size_t i = 0; i < t->n; i++)
        if (!f->gone[i])
            sum += f->widths[i] + (look->boxes ? 3 : 2);
    return sum;
}

static bool drop_one(const struct table *t, struct fit *f)
{
    size_t least = t->n;
    for (size_t i = 0; i < t->n; i++)
        if (!f->gone[i] && t->columns[i].rank &&
            (least == t->n || t->columns[i].rank > t->columns[least].rank))
            least = i;
    if (least == t->n)
        return false;
    f->gone[least] = true;
    return true;
}

/* The column that shrinks gets what the others leave: between `least` and its natural width. */
static void shrink(const struct table *t, const struct table_look *look, struct fit *f, int natural,
                   int least)
{
    for (size_t i = 0; i < t->n; i++) {
        if (!t->columns[i].shrinks)
            continue;
        f->widths[i] = 0;
        f->widths[i] = MIN(natural, MAX(least, look->width - total(t, look, f)));
    }
}

static int natural_width(const struct table *t, const struct fit *f)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->columns[i].shrinks)
            return f->widths[i];
    return 0;
}

static void fit_width(const struct table *t, const struct table_look *look, struct fit *f)
{
    measure(t, look, f);
    if (!look->width)
        return;
    int natural = natural_width(t, f);
    do
        shrink(t, look, f, natural, SHRINK_FIRST);
    while (total(t, look, f) > look->width && drop_one(t, f));
    shrink(t, look, f, natural, SHRINK_LAST);
}

static char *cut_text(const char *s, int width, bool utf8)
{
    if (width_of(s) <= width)
        return xstrdup(s);
    int keep = MAX(width - (utf8 ? 1 : 2), 0);
    const char *end = s;
    while (*end && (keep > 0 || (*end & 0xc0) == 0x80)) {
        keep -= (*end & 0xc0) != 0x80;
        end++;
        while ((*end & 0xc0) == 0x80)
            end++;
    }
    return xasprintf("%.*s%s", (int)(end - s), s, utf8 ? "…" : "..");
}

/* Printing --------------------------------------------------------------------------------------------- */

/* What stands around cells, and the lines above the head, below it and below all. */
struct frame {
    const char *left, *between, *right;
    const char *rules[3][3], *rule; /* none: no lines */
};
static const struct frame no_frame = { .left = "", .between = "  ", .right = "" };
static const struct frame ascii_frame = {
    .left = "| ",
    .between = " | ",
    .right = " |",
    .rules = { { "+-", "-+-", "-+" }, { "+-", "-+-", "-+" }, { "+-", "-+-", "-+" } },
    .rule = "-",
};
static const struct frame utf8_frame = {
    .left = "│ ",
    .between = " │ ",
    .right = " │",
    .rules = { { "┌─", "─┬─", "─┐" }, { "├─", "─┼─", "─┤" }, { "└─", "─┴─", "─┘" } },
    .rule = "─",
};

struct print {
    const struct table *t;
    const struct table_look *look;
    const struct fit *fit;
    const struct frame *frame;
    struct buf *out;
};

static void add_blanks(struct buf *out, int n)
{
    for (; n > 0; n--)
        buf_addc(out, ' ');
}

static void add_rule(const struct print *p, const char *const ends[3])
{
    const char *joint = ends[0];
    if (!p->frame->rule)
        return;
    for (size_t i = 0; i < p->t->n; i++) {
        if (p->fit->gone[i])
            continue;
        buf_adds(p->out, joint);
        for (int n = 0; n < p->fit->widths[i]; n++)
            buf_adds(p->out, p->frame->rule);
        joint = ends[1];
    }
    buf_adds(p->out, ends[2]);
    buf_addc(p->out, '\n');
}

static void add_cell(const struct print *p, size_t i, const char *text, const char *color)
{
    int width = p->fit->widths[i];
    own_text cut = width_of(text) > width ? cut_text(text, width, p->look->utf8) : NULL;
    const char *cell = cut ? cut : text, *paint = p->look->colors ? color_code(color) : "";
    int blanks = width - width_of(cell);
    if (p->t->columns[i].right)
        add_blanks(p->out, blanks);
    buf_adds(p->out, paint);
    buf_adds(p->out, cell);
    if (paint[0])
        buf_adds(p->out, color_code("reset"));
    if (!p->t->columns[i].right)
        add_blanks(p->out, blanks);
}

static void add_row(const struct print *p, char *const *cells, size_t colored, const char *color)
{
    const char *before = p->frame->left;
    for (size_t i = 0; i < p->t->n; i++) {
        if (p->fit->gone[i])
            continue;
        buf_adds(p->out, before);
        add_cell(p, i, cells[i], i == colored ? color : NULL);
        before = p->frame->between;
    }
    buf_adds(p->out, p->frame->right);
    while (p->out->data[p->out->len - 1] == ' ') /* without a frame the last column is not padded */
        p->out->len--;
    buf_addc(p->out, '\n');
}

static void add_head(const struct print *p)
{
    const char *heads[COLUMNS_MOST];
    for (size_t i = 0; i < p->t->n; i++)
        heads[i] = head(&p->t->columns[i], p->look);
    add_row(p, (char *const *)heads, 0, NULL);
}

void table_print(const struct table *t, const struct table_look *look, struct buf *out)
{
    struct fit fit = { 0 };
    fit_width(t, look, &fit);
    const struct frame *frame = !look->boxes ? &no_frame : look->utf8 ? &utf8_frame : &ascii_frame;
    struct print p = { t, look, &fit, frame, out };
    add_rule(&p, frame->rules[0]);
    add_head(&p);
    add_rule(&p, frame->rules[1]);
    for (size_t r = 0; r < t->n_rows; r++)
        add_row(&p, t->rows[r].cells, t->rows[r].colored, t->rows[r].color);
    add_rule(&p, frame->rules[2]);
}
