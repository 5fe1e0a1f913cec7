#include "conf/settings.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unit.h"
#include "conf/settings_file.h"

static char path[64];

static int load(const char *text, struct settings **out, struct conf_problems *problems)
{
    snprintf(path, sizeof(path), "/tmp/velos-settings-XXXXXX");
    int fd = mkstemp(path);
    struct err e;
    check(fd >= 0 && file_write_all(fd, text, strlen(text), &e) == 0);
    close(fd);
    int r = settings_load(path, out, problems);
    unlink(path);
    return r;
}

static char *as_json(const struct settings *s)
{
    own_buf b = { 0 };
    struct json_out j = JSON_OUT(&b);
    settings_write_json(s, &j, NULL);
    return buf_steal(&b);
}

static const struct {
    const char *toml, *json;
} good[] = {
    { "", "{}" },
    { "[daemon]\n", "{}" },
    { "[daemon]\nauto_save = true\nmetrics_interval = \"5s\"\nlog_max_size = \"1M\"\nlog_type = \"json\"\n",
      "{\"metrics_interval\":5000,\"auto_save\":true,\"log_max_size\":1048576,\"log_type\":\"json\"}" },
    { "[daemon]\nstart_concurrency = 4\nstop_concurrency = 1\nnofile = 4096\nlog_date_format = \"%F \"\n",
      "{\"start_concurrency\":4,\"stop_concurrency\":1,\"nofile\":4096,\"log_date_format\":\"%F \"}" },
};

TEST(a_file_to_json_and_back)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        own_settings s = NULL;
        own_settings again = NULL;
        struct conf_problems problems = { 0 };
        struct err e;
        own_json o = NULL;
        check_row(i);
        check_int(load(good[i].toml, &s, &problems), 0);
        own_text json = as_json(s);
        check_text(json, good[i].json);
        check_int(json_parse(json, strlen(json), &o, &e), 0);
        check_int(settings_read_json(o, &again, &e), 0);
        own_text twice = as_json(again);
        check_text(twice, json);
        check_int(again->metrics_interval, s->metrics_interval);
        check_int(again->app.log_max_size, s->app.log_max_size);
    }
}

static const struct {
    const char *toml;
    int line, col;
    const char *text, *hint;
} bad[] = {
    { "[daemon]\nauto_sav = true\n", 2, 1, "daemon.auto_sav: unknown key", "did you mean auto_save?" },
    { "auto_save = true\n", 1, 1, "auto_save: unknown key", "auto_save belongs into the table [daemon]" },
    { "[daemn]\n", 1, 2, "daemn: unknown key", "did you mean daemon?" },
    { "daemon = 1\n", 1, 10, "daemon: expected a table, got an integer", "write [daemon]" },
    { "[daemon]\nmetrics_interval = \"1ms\"\n", 2, 20,
      "daemon.metrics_interval: expected a duration (500ms, 5s, 2m, 1h) of at least 250ms and at most 1h, "
      "got \"1ms\"",
      NULL },
    { "[daemon]\nstop_concurrency = 2000\n", 2, 20,
      "daemon.stop_concurrency: expected an integer from 0 to 1024, got 2000", NULL },
    { "[daemon]\nlog_type = \"jsn\"\n", 2, 12, "daemon.log_type: expected \"raw\" or \"json\", got \"jsn\"",
      NULL },
    { "[daemon\n", 1, 0, NULL, NULL },
};

TEST(mistakes_are_named_and_the_rest_is_taken)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        own_settings s = NULL;
        struct conf_problems problems = { 0 };
        own_text toml =
            xasprintf("%s%s", bad[i].toml, strstr(bad[i].toml, "[daemon]\n") ? "nofile = 7\n" : "");
        check_row(i);
        check_int(load(toml, &s, &problems), -1);
        check_int(problems.len, 1);
        check_int(problems.items[0].line, bad[i].line);
        check_text(problems.items[0].file, path);
        if (bad[i].text) {
            check_text(problems.items[0].text, bad[i].text);
            check_int(problems.items[0].col, bad[i].col);
            check(text_equal(problems.items[0].hint, bad[i].hint));
        }
        check_int(s->nofile, strstr(bad[i].toml, "[daemon]\n") ? 7 : 0);
        check_int(s->metrics_interval, 2000);
        conf_problems_done(&problems);
    }
}

TEST(what_a_later_version_wrote_is_kept)
{
    struct err e;
    own_json o = NULL;
    own_settings s = NULL;
    static const char text[] = "{\"auto_save\":true,\"later\":{\"a\":1},\"nofile\":\"many\"}";
    check_int(json_parse(text, strlen(text), &o, &e), 0);
    check_int(settings_read_json(o, &s, &e), 0);
    own_text again = as_json(s);
    check_text(again, text);
    check_int(s->nofile, 0);
}

TEST(apps_take_what_they_do_not_set)
{
    struct err e;
    own_settings s = NULL;
    struct conf_problems problems = { 0 };
    check_int(load("[daemon]\nlog_max_size = \"1M\"\nlog_date_format = \"%T\"\nlog_compress = true\n", &s,
                   &problems),
              0);
    own_app_spec app = app_spec_new();
    check_int(keys_read_text(app, key_find("log_max_size"), "5M", "/", &e), 0);
    settings_fill_in(s, app);
    check_int(app->log_max_size, 5 << 20);
    check_text(app->log_date_format, "%T");
    check(app->log_compress);
    check_int(app->log_retain_count, 30);
    check(!key_is_set(key_find("log_compress"), app));
}

/* A row here is a default there. */
TEST(defaults_agree_with_those_of_apps)
{
    for (size_t i = 0; i < settings_table.len; i++) {
        const struct key *k = &settings_table.rows[i], *theirs = key_find(k->name);
        check_row(i);
        check(!theirs || (text_equal(k->def, theirs->def) && k->type == theirs->type &&
                          k->min == theirs->min && k->max == theirs->max && k->read == theirs->read));
        check(!theirs == !text_starts(k->name, "log_"));
        check(k->about && k->shape && (k->def || k->example));
    }
}

UNIT_MAIN()
