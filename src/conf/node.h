/* src/conf/node.h: a setting's value as it was written, with its place; and the list of what was wrong.
 * TOML and JSON both become nodes, so that the key table is read by one piece of code. */
#pragma once
#include <jansson.h>

#include "base/text.h"

enum conf_type {
    CONF_NULL,
    CONF_BOOL,
    CONF_INT,
    CONF_FLOAT,
    CONF_STRING,
    CONF_ARRAY,
    CONF_TABLE,
    CONF_OTHER
};

struct conf_node {
    enum conf_type type;
    int line, col; /* of the value; 0: not from a file */
    char *key;     /* in a table: its name; else NULL */
    int key_line, key_col;
    char *spelled; /* a number in a file, as written there: 1.10 is not 1.1; else NULL */
    union {
        bool flag;
        int64_t integer;
        double real;
        char *text; /* CONF_STRING; CONF_OTHER: how TOML calls it ("date") */
    };
    struct conf_node *items; /* array or table, in file order */
    size_t len;
};

void conf_node_done(struct conf_node *n);
const struct conf_node *conf_node_get(const struct conf_node *table, const char *key); /* NULL */
void conf_node_from_json(struct conf_node *out, const json_t *j);
char *conf_node_place(const struct conf_node *app, const char *key); /* "apps.api.<key>", or key alone */
const char *conf_type_name(enum conf_type t);                        /* "a string" */

struct conf_problem {
    char *file; /* or NULL */
    int line, col;
    char *text; /* "apps.api.max_restarts: `lots` is not an integer" */
    char *hint; /* "did you mean max_restarts?", or NULL */
};
struct conf_problems {
    struct conf_problem *items;
    size_t len;
    const char *file; /* given to each that is added; not owned */
};
void conf_problem_add(struct conf_problems *p, const struct conf_node *at, const char *hint, const char *fmt,
                      ...) printf_like(4, 5);
void conf_problems_done(struct conf_problems *p);
