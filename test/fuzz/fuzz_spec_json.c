/* An app's settings as they come over the socket, and from an entry of another version: what was read is
 * written, and reads back as the same.
 *
 *   clang -std=gnu17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -o /tmp/fuzz_spec_json \
 *     test/fuzz/fuzz_spec_json.c src/base/{calendar,err,file,json,map,mem,text,time,units,vars}.c \
 *     src/conf/{keys,keys_read,keys_signal,keys_write,node,settings,spec}.c \
 *     src/cron/{cron,rule,zone}.c src/os/linux/{signame,fswatch}.c -ljansson && /tmp/fuzz_spec_json
 * -max_total_time=60 */
#include <assert.h>
#include <string.h>

#include "conf/keys.h"

static char *written(const struct app_spec *s)
{
    own_buf b = { 0 };
    struct json_out j = JSON_OUT(&b);
    keys_write_json(s, &j, NULL);
    return buf_steal(&b);
}

static void check_round_trip(const struct app_spec *s, bool lenient)
{
    own_text once = written(s);
    own_json o = NULL;
    own_app_spec again = NULL;
    struct err e;
    if (json_parse(once, strlen(once), &o, &e) < 0 || keys_read_json(o, lenient, &again, &e) < 0)
        assert(!"what was written is not accepted");
    own_text twice = written(again);
    assert(strcmp(once, twice) == 0);
    own_app_spec copy = app_spec_copy(s);
    keys_merge(copy, again);
    own_text merged = written(copy);
    assert(strcmp(once, merged) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    own_json o = NULL;
    struct err e;
    if (json_parse((const char *)data, n, &o, &e) < 0)
        return 0;
    own_app_spec lenient = NULL;
    own_app_spec strict = NULL;
    if (keys_read_json(o, true, &lenient, &e) == 0)
        check_round_trip(lenient, true);
    else
        assert(!json_is_object(o));
    if (keys_read_json(o, false, &strict, &e) == 0)
        check_round_trip(strict, false);
    else
        assert(e.code == ERR_CONFIG && text_is_utf8(e.hint, strlen(e.hint)));
    return 0;
}
