#include "cli/settings.h"

#include "base/file.h"
#include "conf/settings_file.h"

static char *written(const struct settings *s)
{
    own_buf b = { 0 };
    struct json_out j = JSON_OUT(&b);
    if (!s->app.set)
        return xstrdup("");
    settings_write_json(s, &j, NULL);
    return buf_steal(&b);
}

int settings_json(const char *home, char **out, struct err *e)
{
    own_text path = path_join(home, SETTINGS_FILE);
    own_settings s = NULL;
    struct conf_problems problems = { 0 };
    int r = settings_load(path, &s, &problems);
    if (r == 0) {
        *out = written(s);
    } else {
        const struct conf_problem *p = &problems.items[0];
        own_buf text = { 0 };
        cli_add_problem(&text, p);
        err_set(e, ERR_CONFIG, "%s", text.data);
        err_hint(e, "%s",
                 p->hint && problems.len == 1 ? p->hint : "velos check shows all that is wrong there");
    }
    conf_problems_done(&problems);
    return r;
}

char *settings_json_all_the_same(const char *home)
{
    own_text path = path_join(home, SETTINGS_FILE);
    own_settings s = NULL;
    struct conf_problems problems = { 0 };
    if (settings_load(path, &s, &problems) < 0)
        for (size_t i = 0; i < problems.len; i++) {
            own_buf text = { 0 };
            cli_add_problem(&text, &problems.items[i]);
            out_note("%s; left out", text.data);
        }
    conf_problems_done(&problems);
    return written(s);
}
