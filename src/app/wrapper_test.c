#include "app/wrapper.h"

#include "base/unit.h"

static const struct {
    const char *package, *script;
    int result;
    const char *want; /* words joined by blanks, or part of the error */
} rows[] = {
    { "{\"scripts\":{\"start\":\"node server.js --port 80\"}}", "start", 1, "node server.js --port 80" },
    { "{\"scripts\":{\"start\":\"node 'my server.js'\"}}", "start", 1, "node my server.js" },
    { "{\"scripts\":{\"dev\":\"node a.js\"}}", "start", -1, "no script `start`" },
    { "{\"scripts\":{\"start\":\"NODE_ENV=x node a.js\"}}", "start", -1, "no plain `node FILE`" },
    { "{\"scripts\":{\"start\":\"node a.js && node b.js\"}}", "start", -1, "no plain `node FILE`" },
    { "{\"scripts\":{\"start\":\"next start\"}}", "start", -1, "no plain `node FILE`" },
    { "{\"scripts\":{\"start\":\"node\"}}", "start", -1, "no plain `node FILE`" },
    { "{\"scripts\":{\"start\":\"\"}}", "start", -1, "no plain `node FILE`" },
    { "{\"scripts\":{\"start\":\"node a.js\",\"prestart\":\"x\"}}", "start", -1, "pre or post" },
    { "{\"scripts\":[]}", "start", -1, "no script" },
    { "{", "start", -1, "package.json: not JSON" },
};

TEST(scripts_of_package_json)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        own_strv words = NULL;
        own_buf joined = { 0 };
        struct err e;
        check_row(i);
        int r = wrapper_resolve_script(rows[i].package, strlen(rows[i].package), rows[i].script, &words, &e);
        check_int(r, rows[i].result);
        for (char **w = words; w && *w; w++)
            buf_addf(&joined, "%s%s", w == words ? "" : " ", *w);
        check_contains(r < 0 ? e.text : joined.data, rows[i].want);
    }
}

TEST(what_is_no_wrapper)
{
    static char *const node[] = { "/usr/bin/node", "a.js", NULL }, *const npx[] = { "npx", "serve", NULL };
    own_strv words = NULL;
    struct err e;
    check_int(wrapper_resolve(node, "/", &words, &e), 0);
    check_int(wrapper_resolve(npx, "/", &words, &e), -1);
    check_contains(e.text, "ends in the wrapper");
    check_contains(e.hint, "velos start");
}

UNIT_MAIN()
