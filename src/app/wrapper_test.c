#include "app/wrapper.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
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

TEST(what_leads_to_node)
{
    static const struct {
        const char *words[8];
        bool leads;
    } commands[] = {
        { { "/usr/bin/node", "a.js" }, true },
        { { "bun", "a.ts" }, true },
        { { "tsx", "a.ts" }, true },
        { { "python3", "a.py" }, false },
        { { "python3", "node" }, false },
        { { "./a.out" }, false },
        { { "sh", "-c", "node a.js" }, true },
        { { "sh", "-c", "PORT=80 exec node a.js" }, true },
        { { "bash", "-ec", "cd x && /opt/bin/node a.js" }, true },
        { { "sh", "-c", "echo node; python3 a.py" }, false },
        { { "sh", "-c", "# node\npython3 a.py node" }, false },
        { { "sh", "-c", "" }, false },
        { { "sh" }, false },
        { { "sh", "no-such-file" }, false },
        { { "env", "PORT=80", "node", "a.js" }, true },
        { { "env", "-u", "X", "sh", "-c", "node a.js" }, true },
        { { "env", "python3", "a.py" }, false },
        { { "nice", "-n", "5", "node", "a.js" }, true },
        { { "timeout", "5", "nice", "./a.out" }, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        check_row(i);
        check(wrapper_leads_to_node((char *const *)commands[i].words, "/") == commands[i].leads);
    }
}

TEST(scripts_of_a_shell_that_lead_to_node)
{
    static const struct {
        const char *text;
        bool leads;
    } scripts[] = {
        { "#!/bin/sh\nset -e\nexec node server.js\n", true },
        { "#!/bin/sh\nif true; then node server.js; fi\n", true },
        { "#!/bin/sh\n# node\necho node\npython3 a.py\n", false },
    };
    char dir[] = "/tmp/velos-wrapper-XXXXXX";
    check(mkdtemp(dir) != NULL);
    own_text path = path_join(dir, "run.sh");
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        char *const argv[] = { "sh", "run.sh", NULL };
        FILE *f = fopen(path, "w");
        check_row(i);
        check(f && fputs(scripts[i].text, f) >= 0 && fclose(f) == 0);
        check(wrapper_leads_to_node(argv, dir) == scripts[i].leads);
    }
    unlink(path);
    rmdir(dir);
}

UNIT_MAIN()
