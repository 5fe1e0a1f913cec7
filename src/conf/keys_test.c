#include "base/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "conf/keys.h"
#include "os/signame.h"

/* ---- the table itself ---- */

TEST(rows_are_complete)
{
    for (size_t i = 0; i < keys_len; i++) {
        check_row(i);
        check(keys[i].shape && keys[i].about && keys[i].size);
        check(!keys[i].def != !keys[i].example); /* one of them */
        check(key_find(keys[i].name) == &keys[i]);
        check(keys[i].type != KEY_SPECIAL || (keys[i].read && keys[i].write));
        for (size_t k = 0; k < i; k++)
            check(keys[k].offset != keys[i].offset);
    }
    check(key_find("node_args") == key_find("interpreter_args"));
    check(key_find("no such key") == NULL);
}

/* Every field of the struct belongs to a row: else it would not be copied, merged or written. */
TEST(rows_cover_the_struct)
{
    size_t covered = 0;
    for (size_t i = 0; i < keys_len; i++)
        covered += keys[i].size;
    check(covered <= offsetof(struct app_spec, set));
    check(offsetof(struct app_spec, set) - covered < 80); /* padding behind bools and enums */
}

TEST(nearest_key)
{
    check_text(key_nearest("max_restart"), "max_restarts");
    check_text(key_nearest("node_arg"), "node_args");
    check(key_nearest("qwertyuiop") == NULL);
}

TEST(defaults)
{
    own_app_spec s = app_spec_new();
    check_int(s->set, 0);
    check_text(s->ns, "default");
    check(!s->name && !s->script && !s->cwd && !s->args && !s->env && !s->interpreter && !s->cron_restart);
    check_int(s->instances, 1);
    check(s->inherit_env.all);
    check_int(s->autorestart, AUTORESTART_ON_FAILURE);
    check(exit_codes_has(&s->stop_exit_codes, 0) && !exit_codes_has(&s->stop_exit_codes, 1));
    check_int(s->max_restarts, 15);
    check_int(s->min_uptime, 1000);
    check_int(s->restart_delay, 0);
    check_int(s->exp_backoff_restart_delay, 0);
    check_int(s->max_memory_restart, 0);
    check_int(s->kill_timeout, 5000);
    check_int(s->kill_signal, SIGTERM);
    check(s->treekill && !s->shutdown_with_message && !s->wait_ready && !s->watch && !s->merge_logs);
    check_text(s->shutdown_message, "{\"type\":\"shutdown\"}");
    check_int(s->listen_timeout, 8000);
    check_text(s->watch_paths[0], ".");
    check_int(s->watch_delay, 1000);
    check_int(s->log_type, LOG_TYPE_RAW);
    check_int(s->log_max_size, 10 << 20);
    check_int(s->log_retain_count, 30);
    check(!s->log_compress && s->autostart && !s->user && !s->group);
}

/* ---- JSON there and back ---- */

/* What may be written for each key, and what comes back where that is another text. */
static const struct {
    const char *key, *json, *back;
} values[] = {
    { "script", "\"./server.js\"" },
    { "script", "\"npm\"" },
    { "name", "\"api-1.x_Y\"" },
    { "name", "\"1a\"" },
    { "namespace", "\"prod\"" },
    { "args", "[\"--port\",\"3000\",\"\",\"a b\"]" },
    { "args", "\"--port 3000 'a b'\"", "[\"--port\",\"3000\",\"a b\"]" },
    { "args", "[]" },
    { "cwd", "\"/srv/current\"" },
    { "cwd", "\"/srv//x/../y\"", "\"/srv/y\"" },
    { "interpreter", "\"none\"" },
    { "interpreter_args", "[\"--inspect\"]" },
    { "instances", "4" },
    { "instances", "1024" },
    { "instances", "\"max\"" },
    { "env", "{\"PORT\":\"3000\",\"EMPTY\":\"\",\"EQ\":\"a=b\"}" },
    { "env", "{\"A\":3000,\"B\":true,\"C\":1.5,\"D\":-0.1}",
      "{\"A\":\"3000\",\"B\":\"true\",\"C\":\"1.5\",\"D\":\"-0.1\"}" },
    { "env", "{}" },
    { "env_file", "\"/srv/.env\"", "[\"/srv/.env\"]" },
    { "env_file", "[\"/srv/.env\",\"/srv/.env.local\"]" },
    { "inherit_env", "true" },
    { "inherit_env", "false" },
    { "inherit_env", "[\"PATH\",\"HOME\"]" },
    { "inherit_env", "[]", "false" },
    { "autorestart", "true" },
    { "autorestart", "false" },
    { "autorestart", "\"always\"" },
    { "autorestart", "\"on-failure\"", "true" },
    { "stop_exit_codes", "[]" },
    { "stop_exit_codes", "[255,0,64,63]", "[0,63,64,255]" },
    { "max_restarts", "-1" },
    { "max_restarts", "0" },
    { "min_uptime", "\"10s\"", "10000" },
    { "restart_delay", "250" },
    { "exp_backoff_restart_delay", "true", "100" },
    { "exp_backoff_restart_delay", "false" },
    { "exp_backoff_restart_delay", "\"2s\"", "2000" },
    { "max_memory_restart", "\"150M\"", "157286400" },
    { "max_memory_restart", "1048576" },
    { "max_memory_restart", "\"512K\"", "\"524288B\"" },
    { "kill_timeout", "0" },
    { "kill_timeout", "\"1h\"", "3600000" },
    { "kill_signal", "\"SIGINT\"" },
    { "kill_signal", "\"quit\"", "\"SIGQUIT\"" },
    { "kill_signal", "15", "\"SIGTERM\"" },
    { "kill_signal", "\"40\"", "40" },
    { "treekill", "false" },
    { "shutdown_with_message", "true" },
    { "shutdown_message", "\"{\\\"bye\\\":1}\"" },
    { "shutdown_message", "\"\\\"shutdown\\\"\"" },
    { "wait_ready", "true" },
    { "listen_timeout", "3000" },
    { "watch", "true" },
    { "watch", "false" },
    { "watch_paths", "[\"/srv/src\"]" },
    { "watch_ignore", "[\"*.tmp\",\"!keep.tmp\",\"a b/\"]" },
    { "watch_ignore", "\"a b\"", "[\"a\",\"b\"]" },
    { "watch_delay", "\"1m\"", "60000" },
    { "watch_content", "true" },
    { "cron_restart", "\"0 3 * * *\"" },
    { "cron_restart", "\"*/10 0 3 * * MON-FRI\"" },
    { "cron_restart", "\"TZ=Europe/Berlin 0 3 * * *\"" },
    { "cron_restart", "\"@daily\"" },
    { "out_file", "\"/dev/null\"" },
    { "error_file", "\"/var/log/api.log\"" },
    { "merge_logs", "true" },
    { "log_date_format", "\"%F %T\"" },
    { "log_date_format", "\"%c%c%c%c%c%c%c%c%c\"" },
    { "log_type", "\"json\"" },
    { "log_type", "\"raw\"" },
    { "log_max_size", "0" },
    { "log_max_size", "\"1.5G\"", "1610612736" },
    { "log_retain_count", "10000" },
    { "log_compress", "true" },
    { "autostart", "false" },
    { "user", "\"www-data\"" },
    { "user", "1000", "\"1000\"" },
    { "group", "\"adm\"" },
};

static json_t *parsed(const char *text)
{
    json_t *o = NULL;
    struct err e;
    check_int(json_parse(text, strlen(text), &o, &e), 0);
    return o;
}

static struct app_spec *read_back(const char *text, bool lenient, struct err *e)
{
    own_json o = parsed(text);
    struct app_spec *s = NULL;
    *e = (struct err){ 0 };
    check_int(keys_read_json(o, lenient, &s, e), s ? 0 : -1);
    return s;
}

static char *written(const struct app_spec *s)
{
    own_buf b = { 0 };
    struct json_out j = JSON_OUT(&b);
    keys_write_json(s, &j, NULL);
    return buf_steal(&b);
}

TEST(values_survive_the_wire)
{
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        check_row(i);
        own_text text = xasprintf("{\"%s\":%s}", values[i].key, values[i].json);
        own_text want =
            xasprintf("{\"%s\":%s}", values[i].key, values[i].back ? values[i].back : values[i].json);
        struct err e;
        own_app_spec s = read_back(text, true, &e);
        own_text once = written(s);
        check_text(once, want);
        own_app_spec again = read_back(once, true, &e);
        own_text twice = written(again);
        check_text(twice, want);
        check(!s->unknown && !again->unknown);
        own_app_spec copy = app_spec_copy(s);
        own_text third = written(copy);
        check_text(third, want);
    }
}

TEST(every_key_has_a_value_above)
{
    for (size_t k = 0; k < keys_len; k++) {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(values); i++)
            found |= strcmp(values[i].key, keys[k].name) == 0;
        check_row(k);
        check(found);
    }
}

TEST(all_keys_at_once)
{
    own_app_spec all = app_spec_new();
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        own_text text = xasprintf("{\"%s\":%s}", values[i].key, values[i].json);
        struct err e;
        own_app_spec one = read_back(text, true, &e);
        keys_merge(all, one);
    }
    check_int(all->set, (UINT64_C(1) << keys_len) - 1);
    own_text once = written(all);
    struct err e;
    own_app_spec s = read_back(once, true, &e);
    own_text twice = written(s);
    check_text(once, twice);
}

/* ---- what is refused ---- */

static const struct {
    const char *key, *json, *text, *hint;
} refused[] = {
    { "script", "3", "script: expected a string, got 3" },
    { "script", "\"\"", "script: expected a text that is not empty, got \"\"" },
    { "name", "\"all\"", "it selects all" },
    { "name", "\"42\"", "only digits" },
    { "name", "\"a b\"", "expected a name of 1-64 letters" },
    { "name", "\"..\"", "expected a name" },
    { "name", "\"\"", "expected a name" },
    { "name", "\"a/b\"", "expected a name" },
    { "name", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "expected a name" },
    { "namespace", "\"a*\"", "expected a name" },
    { "args", "[\"a\",3]", "args: item 2: expected a string, got 3" },
    { "args", "3", "expected an array of strings, got 3" },
    { "args", "\"'open\"", "a quote is not closed" },
    { "cwd", "\"srv\"", "expected an absolute path, got \"srv\"" },
    { "cwd", "true", "expected a path, got true" },
    { "instances", "0", "expected an integer from 1 to 1024 or \"max\", got 0" },
    { "instances", "1025", "got 1025" },
    { "instances", "\"4\"", "got \"4\"" },
    { "instances", "-1", "got -1" },
    { "env", "[]", "env: expected a table, got an array" },
    { "env", "{\"\":\"x\"}", "must not be empty" },
    { "env", "{\"A=B\":\"x\"}", "contain `=`" },
    { "env", "{\"A\":[]}", "env.A: expected a string, a number or true or false, got an array" },
    { "env", "{\"A\":null}", "env.A: expected a string, a number or true or false, got null" },
    { "env_file", "[\"/a\",\"b\"]", "env_file: item 2: expected an absolute path, got \"b\"" },
    { "inherit_env", "\"PATH\"", "expected true, false or an array of names" },
    { "inherit_env", "[\"A=B\"]", "expected a variable's name" },
    { "autorestart", "\"never\"", "expected true, false, \"on-failure\" or \"always\", got \"never\"" },
    { "stop_exit_codes", "[256]", "got 256" },
    { "stop_exit_codes", "0", "got 0" },
    { "max_restarts", "\"lots\"", "max_restarts: expected an integer >= -1, got \"lots\"" },
    { "max_restarts", "-2", "got -2" },
    { "max_restarts", "1.5", "got 1.5" },
    { "min_uptime", "\"soon\"", "expected a duration (500ms, 5s, 2m, 1h), got \"soon\"" },
    { "min_uptime", "-1", "got -1" },
    { "min_uptime", "99999999999999", "got 99999999999999" },
    { "max_memory_restart", "150", "150 bytes is less than any program uses", "did you mean 150M?" },
    { "max_memory_restart", "\"150\"", "150 bytes", "did you mean 150M?" },
    { "max_memory_restart", "0", "expected a size (64K, 150M, 1G), got 0" },
    { "max_memory_restart", "\"150X\"", "expected a size" },
    { "kill_timeout", "\"61m\"", "of at most 1h, got \"61m\"" },
    { "kill_signal", "\"SIGTREM\"", "expected a signal (SIGTERM, INT, 15), got \"SIGTREM\"",
      "did you mean SIGTERM?" },
    { "kill_signal", "\"hup1\"", "got \"hup1\"", "did you mean HUP?" },
    { "kill_signal", "0", "got 0" },
    { "kill_signal", "65", "got 65" },
    { "treekill", "1", "expected true or false, got 1" },
    { "shutdown_message", "\"{\"", "expected a string that is JSON" },
    { "watch", "[\"src\"]", "expected an absolute path" },
    { "watch", "\"src\"", "expected true, false or an array of paths" },
    { "cron_restart", "\"* * *\"", "expected 5 fields" },
    { "cron_restart", "\"0 0 31 2 *\"", "would never fire" },
    { "cron_restart", "\"TZ=Nowhere/AtAll 0 3 * * *\"", "no time zone `Nowhere/AtAll`" },
    { "cron_restart", "3", "expected a cron expression" },
    { "cron_restart", "\"@dayly\"", "no macro `@dayly`", "did you mean @daily?" },
    { "log_date_format", "3", "log_date_format: expected a date format (strftime), got 3" },
    { "log_date_format", "\"\"", "expected a date format" },
    { "log_date_format", "\"%F\\n\"", "expected a date format of one line, got \"%F\\n\"",
      "leave the line break out: the date stands in front of each line by itself" },
    { "log_date_format", "\"%n%T\"", "expected a date format of one line, got \"%n%T\"" },
    { "log_date_format", "\"%c%c%c%c%c%c%c%c%c%c\"",
      "expected a date format that makes at most 222 characters",
      "it stands in front of each line: shorten it" },
    { "log_date_format", "\"%2000d\"", "at most 222 characters" },
    { "log_type", "\"xml\"", "expected \"raw\" or \"json\", got \"xml\"" },
    { "log_retain_count", "10001", "expected an integer from 0 to 10000, got 10001" },
    { "user", "-1", "expected a name or an id" },
    { "max_restart", "3", "max_restart: unknown key", "did you mean max_restarts?" },
    { "env_production", "{}", "env_production: unknown key" },
    { "node_args\":[],\"interpreter_args", "[]",
      "given twice: node_args is another name of interpreter_args" },
    { "restart_delay\":5,\"exp_backoff_restart_delay", "true", "cannot be used together with restart_delay" },
    { "watch_paths\":[\"/a\"],\"watch", "[\"/b\"]", "keep one of them" },
};

TEST(wrong_values_are_told)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const char *rest = ",\"name\":\"x\",\"script\":\"y\"";
        if (strcmp(refused[i].key, "name") == 0)
            rest = ",\"script\":\"y\"";
        if (strcmp(refused[i].key, "script") == 0)
            rest = ",\"name\":\"x\"";
        own_text text = xasprintf("{\"%s\":%s%s}", refused[i].key, refused[i].json, rest);
        struct err e;
        check_row(i);
        own_app_spec s = read_back(text, false, &e);
        check(s == NULL);
        check_int(e.code, ERR_CONFIG);
        check_contains(e.text, refused[i].text);
        check(!strstr(e.text, " more)"));
        if (refused[i].hint)
            check_text(e.hint, refused[i].hint);
    }
}

TEST(required_on_the_wire)
{
    struct err e;
    own_app_spec s = read_back("{}", false, &e);
    check(!s);
    check_text(e.text, "script: missing (and 1 more)");
    own_app_spec no_name = read_back("{\"script\":\"x\"}", false, &e);
    check(!no_name);
    check_text(e.text, "name: missing");
    own_json list = json_array();
    check_int(keys_read_json(list, true, &s, &e), -1);
}

/* An entry of a later version: what it has more, and what it means differently, comes back as it was. */
TEST(later_versions_survive)
{
    static const char text[] = "{\"name\":\"x\",\"kill_timeout\":{\"soft\":1},\"colour\":[\"red\",1.5,null]}";
    struct err e;
    own_app_spec s = read_back(text, true, &e);
    check_int(s->kill_timeout, 5000);
    own_app_spec copy = app_spec_copy(s);
    own_text back = written(copy);
    own_json want = parsed(text);
    own_json got = parsed(back);
    check(json_equal(want, got));
}

/* A member that could not be read and is set anew is written once, or the text would be no JSON for us. */
TEST(kept_members_yield)
{
    struct err e;
    own_app_spec s =
        read_back("{\"kill_timeout\":[],\"node_args\":[\"a\"],\"interpreter_args\":[\"b\"]}", true, &e);
    check_int(keys_read_text(s, key_find("kill_timeout"), "7s", "/", &e), 0);
    own_text text = written(s);
    check_text(text, "{\"interpreter_args\":[\"a\"],\"kill_timeout\":7000}");
}

/* ---- merging, and flags ---- */

static void set(struct app_spec *s, const char *key, const char *value)
{
    struct err e = { 0 };
    if (keys_read_text(s, key_find(key), value, "/srv", &e) < 0)
        fail_msg("%s", e.text);
}

TEST(merge)
{
    own_app_spec file = app_spec_new();
    own_app_spec over = app_spec_new();
    set(file, "name", "api");
    set(file, "env", "A=1");
    set(file, "env", "B=2");
    set(file, "args", "a b");
    set(file, "kill_timeout", "9s");
    set(over, "env", "B=3");
    set(over, "env", "C=4");
    set(over, "args", "c");
    set(over, "instances", "max");
    keys_merge(file, over);
    own_text text = written(file);
    check_text(text, "{\"name\":\"api\",\"args\":[\"c\"],\"instances\":\"max\","
                     "\"env\":{\"A\":\"1\",\"B\":\"3\",\"C\":\"4\"},\"kill_timeout\":9000}");
}

TEST(stop_exit_codes_follow_autorestart)
{
    own_app_spec s = app_spec_new();
    set(s, "autorestart", "always");
    check(!exit_codes_has(&s->stop_exit_codes, 0));
    set(s, "autorestart", NULL);
    check(exit_codes_has(&s->stop_exit_codes, 0));
    set(s, "stop_exit_codes", "0,143");
    set(s, "autorestart", "always");
    check(exit_codes_has(&s->stop_exit_codes, 0) && exit_codes_has(&s->stop_exit_codes, 143));
    check(!exit_codes_has(&s->stop_exit_codes, -1) && !exit_codes_has(&s->stop_exit_codes, 256));
}

static const struct {
    const char *key, *text, *json; /* text NULL: a bare flag */
} flags[] = {
    { "max_memory_restart", "150M", "157286400" },
    { "autorestart", "false", "false" },
    { "autorestart", NULL, "true" },
    { "autorestart", "always", "\"always\"" },
    { "treekill", "false", "false" },
    { "wait_ready", NULL, "true" },
    { "watch", NULL, "true" },
    { "instances", "max", "\"max\"" },
    { "instances", "4", "4" },
    { "max_restarts", "-1", "-1" },
    { "restart_delay", "500", "500" },
    { "exp_backoff_restart_delay", NULL, "100" },
    { "exp_backoff_restart_delay", "100", "100" },
    { "exp_backoff_restart_delay", "1s", "1000" },
    { "stop_exit_codes", "0,143", "[0,143]" },
    { "inherit_env", "false", "false" },
    { "inherit_env", "PATH,HOME", "[\"PATH\",\"HOME\"]" },
    { "env_file", ".env", "[\"/srv/.env\"]" },
    { "cwd", "..", "\"/\"" },
    { "out_file", "logs/out.log", "\"/srv/logs/out.log\"" },
    { "node_args", "--inspect --foo='a b'", "[\"--inspect\",\"--foo=a b\"]" },
    { "watch_ignore", "node_modules *.tmp", "[\"node_modules\",\"*.tmp\"]" },
    { "kill_signal", "int", "\"SIGINT\"" },
    { "user", "1000", "\"1000\"" },
    { "cron_restart", "0 3 * * *", "\"0 3 * * *\"" },
};

TEST(flags)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        own_app_spec s = app_spec_new();
        check_row(i);
        set(s, flags[i].key, flags[i].text);
        own_text want = xasprintf("{\"%s\":%s}", key_find(flags[i].key)->name, flags[i].json);
        own_text got = written(s);
        check_text(got, want);
    }
}

TEST(repeated_flags)
{
    own_app_spec s = app_spec_new();
    set(s, "args", "a b");
    set(s, "args", "c");
    set(s, "env_file", "1");
    set(s, "env_file", "/2");
    set(s, "watch", "src,lib");
    set(s, "watch", "etc");
    set(s, "kill_timeout", "1s");
    set(s, "kill_timeout", "2s");
    set(s, "stop_exit_codes", "1,2");
    set(s, "stop_exit_codes", "64");
    set(s, "inherit_env", "HOME");
    set(s, "inherit_env", "PATH,LANG");
    own_text text = written(s);
    check_text(
        text,
        "{\"args\":[\"a\",\"b\",\"c\"],\"env_file\":[\"/srv/1\",\"/2\"],"
        "\"inherit_env\":[\"HOME\",\"PATH\",\"LANG\"],\"stop_exit_codes\":[1,2,64],\"kill_timeout\":2000,"
        "\"watch\":true,\"watch_paths\":[\"/srv/src\",\"/srv/lib\",\"/srv/etc\"]}");
}

TEST(wrong_flags_name_the_flag)
{
    own_app_spec s = app_spec_new();
    struct err e;
    check_int(keys_read_text(s, key_find("max_memory_restart"), "lots", "/", &e), -1);
    check_text(e.text, "--max-memory-restart: expected a size (64K, 150M, 1G), got \"lots\"");
    check_int(keys_read_text(s, key_find("kill_timeout"), NULL, "/", &e), -1);
    check_text(e.text, "--kill-timeout: needs a value (duration)");
    check_int(keys_read_text(s, key_find("max_restarts"), "99999999999999999999", "/", &e), -1);
    check_int(keys_read_text(s, key_find("max_restarts"), "5x", "/", &e), -1);
    check_int(s->set, 0);
}

TEST(signals)
{
    check_int(key_signal_find("SIGTERM"), SIGTERM);
    check_int(key_signal_find("sigterm"), SIGTERM);
    check_int(key_signal_find("TERM"), SIGTERM);
    check_int(key_signal_find("15"), 15);
    check_int(key_signal_find("15x"), 0);
    check_int(key_signal_find(""), 0);
    check_int(key_signal_find("SIG"), 0);
    check_text(key_signal_name(SIGKILL), "SIGKILL");
    check(key_signal_name(40) == NULL);
}

/* Whatever an exit_signal is shown as can be given. */
TEST(signals_as_they_are_shown)
{
    for (int sig = 1; sig <= os_signal_last(); sig++) {
        char name[OS_SIGNAME];
        os_signame(sig, name);
        check_row((size_t)sig);
        if (os_signame_short(sig) || sig >= os_signal_first_realtime()) {
            check_int(key_signal_find(name), sig);
            check_int(key_signal_find(name + strlen("SIG")), sig);
        }
    }
}

TEST(realtime_signals)
{
    int first = os_signal_first_realtime(), last = os_signal_last();
    char past[24];
    if (first > last)
        return;
    check_int(key_signal_find("SIGRTMIN"), first);
    check_int(key_signal_find("rtmin+6"), first + 6);
    check_int(key_signal_find("SIGRTMAX"), last);
    check_int(key_signal_find("sigrtmax-2"), last - 2);
    snprintf(past, sizeof(past), "RTMIN+%d", last - first);
    check_int(key_signal_find(past), last);
    snprintf(past, sizeof(past), "RTMIN+%d", last - first + 1);
    check_int(key_signal_find(past), 0);
    snprintf(past, sizeof(past), "RTMAX-%d", last - first + 1);
    check_int(key_signal_find(past), 0);
    static const char *const wrong[] = { "RTMIN-1",  "RTMAX+1",  "RTMIN+",   "RTMIN+x", "RTMIN6",
                                         "RTMIN++1", "RTMIN+ 1", "RTMIN+1x", "RT",      "RTMIN+99999999999" };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        check_row(i);
        check_int(key_signal_find(wrong[i]), 0);
    }
}

TEST(long_values_are_cut_in_messages)
{
    own_app_spec s = app_spec_new();
    struct err e;
    static const char longest[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\n";
    check_int(keys_read_text(s, key_find("log_type"), longest, "/", &e), -1);
    check(text_is_utf8(e.text, strlen(e.text)));
    check_contains(e.text, "...\"");
    check(!strstr(e.text, "\xef\xbf\xbd"));
}

/* ---- docs/settings.md ---- */

static char *in_source(const char *name)
{
    const char *file = __FILE__; /* .../src/conf/keys_test.c, relative to the build folder */
    own_text dir = path_dir(file);
    return xasprintf("%s/../../%s", dir, name);
}

TEST(docs_are_those_of_the_table)
{
    own_text path = in_source("docs/settings.md");
    own_text got = NULL;
    own_buf docs = { 0 };
    struct err e = { 0 };
    keys_write_markdown(&docs);
    if (getenv("UPDATE_DOCS")) {
        FILE *f = fopen(path, "w");
        check(f && fwrite(docs.data, 1, docs.len, f) == docs.len && fclose(f) == 0);
    }
    if (file_read(path, 1 << 20, &got, NULL, &e) < 0)
        fail_msg("%s (run this test with UPDATE_DOCS=1 in the environment)", e.text);
    if (strcmp(got, docs.data) != 0)
        fail_msg("%s is not what the table says: run this test with UPDATE_DOCS=1 in the environment", path);
}

UNIT_MAIN()
