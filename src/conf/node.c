#include "conf/node.h"

#include "base/json.h"
#include <stdlib.h>
#include <string.h>

void conf_node_done(struct conf_node *n)
{
    for (size_t i = 0; i < n->len; i++)
        conf_node_done(&n->items[i]);
    free(n->items);
    free(n->key);
    free(n->spelled);
    if (n->type == CONF_STRING || n->type == CONF_OTHER)
        free(n->text);
    *n = (struct conf_node){ 0 };
}

const struct conf_node *conf_node_get(const struct conf_node *table, const char *key)
{
    if (table->type != CONF_TABLE)
        return NULL;
    for (size_t i = 0; i < table->len; i++)
        if (strcmp(table->items[i].key, key) == 0)
            return &table->items[i];
    return NULL;
}

static void from_array(struct conf_node *out, const json_t *j)
{
    out->type = CONF_ARRAY;
    out->len = json_array_size(j);
    out->items = xcalloc(out->len + 1, sizeof(*out->items));
    for (size_t i = 0; i < out->len; i++)
        conf_node_from_json(&out->items[i], json_array_get(j, i));
}

static void from_object(struct conf_node *out, const json_t *j)
{
    out->type = CONF_TABLE;
    out->items = xcalloc(json_object_size(j) + 1, sizeof(*out->items));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)j, key, value)
    {
        struct conf_node *item = &out->items[out->len++];
        conf_node_from_json(item, value);
        item->key = json_uncarry(xstrdup(key));
    }
}

void conf_node_from_json(struct conf_node *out, const json_t *j)
{
    *out = (struct conf_node){ 0 };
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        from_object(out, j);
        break;
    case JSON_ARRAY:
        from_array(out, j);
        break;
    case JSON_STRING:
        out->type = CONF_STRING;
        out->text = json_uncarry(xstrdup(json_string_value(j)));
        break;
    case JSON_INTEGER:
        out->type = CONF_INT;
        out->integer = (int64_t)json_integer_value(j);
        break;
    case JSON_REAL:
        out->type = CONF_FLOAT;
        out->real = json_real_value(j);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        out->type = CONF_BOOL;
        out->flag = json_is_true(j);
        break;
    case JSON_NULL:
        out->type = CONF_NULL;
        break;
    }
}

char *conf_node_place(const struct conf_node *app, const char *key)
{
    return app && app->key ? xasprintf("apps.%s.%s", app->key, key) : xstrdup(key);
}

const char *conf_type_name(enum conf_type t)
{
    static const char *const names[] = {
        [CONF_NULL] = "null",      [CONF_BOOL] = "true or false",   [CONF_INT] = "an integer",
        [CONF_FLOAT] = "a number", [CONF_STRING] = "a string",      [CONF_ARRAY] = "an array",
        [CONF_TABLE] = "a table",  [CONF_OTHER] = "a date or time",
    };
    return names[t];
}

void conf_problem_add(struct conf_problems *p, const struct conf_node *at, const char *hint, const char *fmt,
                      ...)
{
    own_buf text = { 0 };
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    p->items = xrealloc(p->items, (p->len + 1) * sizeof(*p->items));
    p->items[p->len++] = (struct conf_problem){
        .file = p->file ? xstrdup(p->file) : NULL,
        .line = at ? at->line : 0,
        .col = at ? at->col : 0,
        .text = buf_steal(&text),
        .hint = hint && *hint ? xstrdup(hint) : NULL,
    };
}

void conf_problems_done(struct conf_problems *p)
{
    for (size_t i = 0; i < p->len; i++) {
        free(p->items[i].file);
        free(p->items[i].text);
        free(p->items[i].hint);
    }
    free(p->items);
    *p = (struct conf_problems){ 0 };
}
