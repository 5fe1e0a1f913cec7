#include "cli/table.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libsmartcols.h>

#include "cli/out.h"

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
    int cut; /* width of the column that shrinks */
};

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
        if (t->columns[i].shrinks)
            f->cut = f->widths[i];
    }
}

static int total(const struct table *t, const struct table_look *look, const struct fit *f)
{
    int sum = look->boxes ? 1 : 0;
    for (size_t i = 0; i < t->n; i++)
        if (!f->gone[i])
            sum += (t->columns[i].shrinks ? f->cut : f->widths[i]) + (look->boxes ? 3 : 2);
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

/* The column that shrinks gets what the others leave, between least and its natural width. */
static void shrink(const struct table *t, const struct table_look *look, struct fit *f, int least)
{
    int natural = f->cut;
    f->cut = 0;
    f->cut = MAX(MIN(natural, least), MIN(natural, look->width - total(t, look, f)));
}

static void fit_width(const struct table *t, const struct table_look *look, struct fit *f)
{
    measure(t, look, f);
    int natural = f->cut;
    if (!look->width)
        return;
    do {
        f->cut = natural;
        shrink(t, look, f, SHRINK_FIRST);
    } while (total(t, look, f) > look->width && drop_one(t, f));
    if (total(t, look, f) > look->width)
        shrink(t, look, f, SHRINK_LAST);
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

static void fill_row(const struct table *t, const struct row *r, const struct table_look *look,
                     const struct fit *f, struct libscols_line *line)
{
    size_t at = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (f->gone[i])
            continue;
        if (t->columns[i].shrinks)
            scols_line_refer_data(line, at, cut_text(r->cells[i], f->cut, look->utf8));
        else
            scols_line_set_data(line, at, r->cells[i]);
        if (r->color && i == r->colored)
            scols_cell_set_color(scols_line_get_cell(line, at), r->color);
        at++;
    }
}

static char *lay_out(const struct table *t, const struct table_look *look, const struct fit *f)
{
    struct libscols_table *s = scols_new_table();
    scols_table_enable_colors(s, look->colors);
    scols_table_set_termforce(s, SCOLS_TERMFORCE_NEVER); /* it fits already */
    scols_table_set_column_separator(s, !look->boxes ? "  " : look->utf8 ? " │ " : " | ");
    for (size_t i = 0; i < t->n; i++)
        if (!f->gone[i])
            scols_table_new_column(s, head(&t->columns[i], look), 0,
                                   t->columns[i].right ? SCOLS_FL_RIGHT : 0);
    for (size_t r = 0; r < t->n_rows; r++)
        fill_row(t, &t->rows[r], look, f, scols_table_new_line(s, NULL));
    char *text = NULL;
    scols_print_table_to_string(s, &text);
    scols_unref_table(s);
    return text ? text : xstrdup("");
}

/* ├──┼──┤ under the columns that are there. */
static void add_rule(const struct table *t, const struct table_look *look, const struct fit *f,
                     const char *const ends[3], struct buf *out)
{
    const char *joint = ends[0];
    for (size_t i = 0; i < t->n; i++) {
        if (f->gone[i])
            continue;
        buf_adds(out, joint);
        int width = t->columns[i].shrinks ? f->cut : f->widths[i];
        for (int n = 0; n < width + 2; n++)
            buf_adds(out, look->utf8 ? "─" : "-");
        joint = ends[1];
    }
    buf_adds(out, ends[2]);
    buf_addc(out, '\n');
}

/* Width on the terminal of a line that may hold colours. */
static int shown_width(const char *s, size_t n)
{
    int width = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\033')
            while (i + 1 < n && s[i] != 'm')
                i++;
        else
            width += (s[i] & 0xc0) != 0x80;
    }
    return width;
}

static void add_boxed(const struct table *t, const struct table_look *look, const struct fit *f,
                      const char *text, struct buf *out)
{
    static const char *const fancy[3][3] = { { "┌", "┬", "┐" }, { "├", "┼", "┤" }, { "└", "┴", "┘" } };
    static const char *const plain[3][3] = { { "+", "+", "+" }, { "+", "+", "+" }, { "+", "+", "+" } };
    const char *const(*rules)[3] = look->utf8 ? fancy : plain;
    const char *side = look->utf8 ? "│" : "|";
    int inner = total(t, look, f) - 4;
    add_rule(t, look, f, rules[0], out);
    for (size_t row = 0; *text; row++) {
        size_t n = strcspn(text, "\n");
        buf_addf(out, "%s %.*s%*s %s\n", side, (int)n, text, MAX(inner - shown_width(text, n), 0), "", side);
        if (row == 0)
            add_rule(t, look, f, rules[1], out);
        text += n + (text[n] == '\n');
    }
    add_rule(t, look, f, rules[2], out);
}

void table_print(const struct table *t, const struct table_look *look, struct buf *out)
{
    struct fit f = { 0 };
    fit_width(t, look, &f);
    own_text text = lay_out(t, look, &f);
    if (look->boxes)
        add_boxed(t, look, &f, text, out);
    else
        buf_addf(out, "%s%s", text, text_ends(text, "\n") ? "" : "\n");
}
