/* src/cli/table.h: a table that fits the terminal: columns that matter less go, and long names are cut
 * with an ellipsis, before a line would wrap. */
#pragma once
#include "base/text.h"

struct table_column {
    const char *name;
    const char *symbol; /* in place of the name where the terminal speaks UTF-8; or NULL */
    bool right;         /* numbers */
    bool shrinks;       /* its cells may be cut; at most one column */
    int rank;           /* 0: always there; else the highest goes first */
};

struct table_look {
    int width;  /* of the terminal; 0: as wide as it needs */
    bool boxes; /* lines around the cells */
    bool colors;
    bool utf8; /* else boxes and ellipses are ASCII */
};
struct table_look table_look_of_stdout(const char *color); /* --color */

struct table;
struct table *table_new(const struct table_column *columns, size_t n);
struct table *table_free(struct table *t);

/* One row, n cells; color (of cell `colored`, e.g. "green") may be NULL. Cells are copied. */
void table_add(struct table *t, const char *const *cells, size_t colored, const char *color);
void table_print(const struct table *t, const struct table_look *look, struct buf *out);
