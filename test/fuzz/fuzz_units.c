/* Words of a command line: durations, sizes, signals, and the value of any flag. What was understood is
 * written in its plainest form and understood again.
 *
 *   clang -std=gnu17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -o /tmp/fuzz_units \
 *     test/fuzz/fuzz_units.c src/base/{calendar,err,file,json,map,mem,text,time,units,vars}.c \
 *     src/conf/{dotenv,keys,keys_read,keys_signal,keys_write,node,settings,spec}.c \
 *     src/cron/{cron,rule,zone}.c src/os/linux/{signame,fswatch}.c -ljansson && /tmp/fuzz_units
 * -max_total_time=60
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "conf/dotenv.h"
#include "conf/keys.h"

static void try_duration(const char *text)
{
    int64_t ms, back;
    char shown[UNITS_TEXT];
    struct err e;
    if (units_duration(text, &ms, &e) < 0)
        return;
    assert(ms >= 0);
    int r = units_duration(units_show_duration(ms, shown), &back, &e);
    assert(r == 0 && back == ms);
}

static void try_size(const char *text)
{
    int64_t bytes, back;
    char shown[UNITS_TEXT];
    struct err e;
    if (units_size(text, &bytes, &e) < 0)
        return;
    assert(bytes >= 0);
    snprintf(shown, sizeof(shown), "%lldB", (long long)bytes);
    int r = units_size(shown, &back, &e);
    assert(r == 0 && back == bytes);
}

static void try_signal(const char *text)
{
    int number = key_signal_find(text);
    const char *name = key_signal_name(number);
    assert(!name || key_signal_find(name) == number);
}

static void try_flag(const struct key *k, const char *text)
{
    own_app_spec s = app_spec_new();
    own_app_spec back = NULL;
    own_buf json = { 0 };
    own_json o = NULL;
    struct json_out j = JSON_OUT(&json);
    struct err e;
    if (keys_read_text(s, k, text, "/srv", &e) < 0)
        return;
    keys_write_json(s, &j, NULL);
    int r = json_parse(json.data, json.len, &o, &e);
    assert(r == 0);
    r = keys_read_json(o, true, &back, &e);
    assert(r == 0 && back->set == s->set);
}

/* NAME="value", its lines as they are. */
static void add_variable(struct buf *out, const char *variable)
{
    const char *value = strchr(variable, '=') + 1;
    buf_add(out, variable, (size_t)(value - variable));
    buf_addc(out, '"');
    for (; *value; value++) {
        if (strchr("\"\\$\r", *value))
            buf_addc(out, '\\');
        buf_addc(out, *value == '\r' ? 'r' : *value);
    }
    buf_adds(out, "\"\n");
}

static void try_dotenv(const char *text, size_t n)
{
    own_strv env = NULL;
    own_strv back = NULL;
    own_buf again = { 0 };
    struct err e;
    if (dotenv_parse(text, n, &env, &e) < 0)
        return;
    buf_adds(&again, "");
    for (size_t i = 0; env && env[i]; i++) {
        assert(strchr(env[i], '=') > env[i]);
        add_variable(&again, env[i]);
    }
    int r = dotenv_parse(again.data, again.len, &back, &e);
    assert(r == 0 && strv_equal(env, back));
}

/* What is shown is one line of UTF-8, and shown again the same. */
static void try_shown(const char *text)
{
    own_buf once = { 0 }, twice = { 0 };
    buf_adds(&once, "");
    buf_adds(&twice, "");
    buf_add_shown(&once, text);
    assert(text_is_utf8(once.data, once.len) && once.data[strcspn(once.data, "\n\r\033")] == '\0');
    buf_add_shown(&twice, once.data);
    assert(strcmp(once.data, twice.data) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    own_text text = xstrndup((const char *)data + 1, n - 1);
    own_strv words = NULL;
    struct err e;
    try_duration(text);
    try_size(text);
    try_signal(text);
    try_flag(&keys[data[0] % keys_len], text);
    try_dotenv((const char *)data + 1, n - 1);
    try_shown(text);
    if (text_split_words(text, &words, &e) == 0)
        assert(strv_len(words) <= n);
    bool shell = text_needs_shell(text);
    assert(!shell || strpbrk(text, "|&;<>()$`*?[~#=\n"));
    return 0;
}
