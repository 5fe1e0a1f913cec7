/* src/proto/scan.h: JSON read in one pass where it lies: pieces of the text, no tree. For the envelope of a
 * message and for answers that can be large: a list of 100 apps costs 1.4 ms as a tree, 0.1 ms so.
 *
 * It trusts that the text is JSON (our daemon wrote it): of anything else it makes other pieces or none,
 * never a read outside. What must be checked goes through json_parse(). */
#pragma once
#include "base/text.h"

struct piece {
    const char *at; /* NULL: not there */
    size_t n;
};
#define PIECE(text) ((struct piece){ (text), strlen(text) })

/* The values of the members called names[0] ... names[n - 1]; those that are not there are empty. */
void scan_members(struct piece object, const char *const *names, size_t n, struct piece *values);

/* Each item of an array: start with *at = 0; false when there is none left. */
bool scan_item(struct piece array, size_t *at, struct piece *item);

char *piece_text(struct piece p);             /* of a string; NULL for anything else; the caller frees */
char *piece_bytes(struct piece p, size_t *n); /* the same, with the NULs that may be in it */
bool piece_int(struct piece p, int64_t *out); /* false when it is no integer */
bool piece_num(struct piece p, double *out);
bool piece_is(struct piece p, const char *text); /* as written: "true", "null", "\"online\"" */
