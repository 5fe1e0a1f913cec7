/* A velos.toml: parsed, printed back in one line per key, parsed again, compared; its apps are read.
 *
 *   clang++ -std=c++17 -g -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=function \
 *     -fno-rtti -DTOML_EXCEPTIONS=0 -Isrc -c src/conf/toml.cc -o /tmp/toml.o
 *   clang -std=gnu17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -o /tmp/fuzz_toml \
 *     test/fuzz/fuzz_toml.c src/base/{calendar,err,file,json,map,mem,text,time,units,vars}.c \
 *     src/conf/{keys,keys_read,keys_signal,keys_write,node,settings,spec}.c \
 *     src/cron/{cron,rule,zone}.c src/os/linux/{signame,fswatch}.c /tmp/toml.o -ljansson -lstdc++ &&
 *     /tmp/fuzz_toml -max_total_time=60 config */
#include <assert.h>
#include <string.h>

#include "conf/keys.h"
#include "conf/toml.h"

enum { DEEPEST = 60 }; /* well below what toml++ takes */

static int depth(const struct conf_node *n)
{
    int most = 0;
    for (size_t i = 0; i < n->len; i++) {
        int below = depth(&n->items[i]);
        most = MAX(most, below);
    }
    return most + 1;
}

static void print(struct buf *out, const struct conf_node *n);

static void print_text(struct buf *out, const char *text)
{
    struct json_out j = JSON_OUT(out); /* a JSON string is a TOML string */
    json_str(&j, NULL, text);
}

static void print_items(struct buf *out, const struct conf_node *n, const char *brackets)
{
    buf_addc(out, brackets[0]);
    for (size_t i = 0; i < n->len; i++) {
        if (i)
            buf_addc(out, ',');
        if (n->type == CONF_TABLE) {
            print_text(out, n->items[i].key);
            buf_addc(out, '=');
        }
        print(out, &n->items[i]);
    }
    buf_addc(out, brackets[1]);
}

static void print_other(struct buf *out, const struct conf_node *n)
{
    static const char *const samples[][2] = { { "a date", "1979-05-27" },
                                              { "a time", "07:32:00" },
                                              { "a date and time", "1979-05-27T07:32:00Z" } };
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        if (strcmp(n->text, samples[i][0]) == 0)
            buf_adds(out, samples[i][1]);
}

static void print(struct buf *out, const struct conf_node *n)
{
    switch (n->type) {
    case CONF_TABLE:
        print_items(out, n, "{}");
        break;
    case CONF_ARRAY:
        print_items(out, n, "[]");
        break;
    case CONF_STRING:
        print_text(out, n->text);
        break;
    case CONF_BOOL:
        buf_adds(out, n->flag ? "true" : "false");
        break;
    case CONF_INT:
    case CONF_FLOAT:
        assert(n->spelled && *n->spelled);
        buf_adds(out, n->spelled);
        break;
    default:
        print_other(out, n);
    }
}

static bool same_real(double a, double b)
{
    return (a != a && b != b) || a == b;
}

static void compare(const struct conf_node *a, const struct conf_node *b)
{
    assert(a->type == b->type && a->len == b->len && text_equal(a->key, b->key));
    assert(text_equal(a->spelled, b->spelled));
    assert(a->type != CONF_INT || a->integer == b->integer);
    assert(a->type != CONF_FLOAT || same_real(a->real, b->real));
    assert(a->type != CONF_BOOL || a->flag == b->flag);
    assert((a->type != CONF_STRING && a->type != CONF_OTHER) || strcmp(a->text, b->text) == 0);
    for (size_t i = 0; i < a->len; i++)
        compare(&a->items[i], &b->items[i]);
}

static void check_round_trip(const struct conf_node *root)
{
    own_buf text = { 0 };
    struct conf_node again;
    struct conf_problems problems = { 0 };
    buf_adds(&text, "");
    for (size_t i = 0; i < root->len; i++) {
        print_text(&text, root->items[i].key);
        buf_addc(&text, '=');
        print(&text, &root->items[i]);
        buf_addc(&text, '\n');
    }
    if (toml_parse(text.data, text.len, &again, &problems) == 0) {
        compare(root, &again);
        conf_node_done(&again);
    } else { /* everything on one line may be too much for one */
        assert(strstr(problems.items[0].text, "nested too deeply"));
    }
    conf_problems_done(&problems);
}

static void read_apps(const struct conf_node *root)
{
    const struct conf_node *apps = conf_node_get(root, "apps");
    for (size_t i = 0; apps && apps->type == CONF_TABLE && i < apps->len; i++) {
        own_app_spec s = app_spec_new();
        struct conf_problems problems = { 0 };
        if (apps->items[i].type == CONF_TABLE) {
            keys_read(s, &apps->items[i], "/srv", "production", &problems);
            keys_check(s, &apps->items[i], &problems);
        }
        for (size_t k = 0; k < problems.len; k++)
            assert(problems.items[k].line > 0 && problems.items[k].col > 0);
        conf_problems_done(&problems);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct conf_node root;
    struct conf_problems problems = { 0 };
    if (toml_parse((const char *)data, n, &root, &problems) < 0) {
        assert(problems.len >= 1 && problems.items[0].text[0]);
        conf_problems_done(&problems);
        return 0;
    }
    assert(problems.len == 0);
    read_apps(&root);
    if (depth(&root) < DEEPEST)
        check_round_trip(&root);
    conf_node_done(&root);
    return 0;
}
