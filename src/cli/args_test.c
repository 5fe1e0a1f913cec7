#include "cli/args.h"

#include "base/unit.h"

static const struct opt opts[] = {
    { 'f', "follow", OPT_FLAG, "" },
    { 'n', "lines", OPT_COUNT, "", "N" },
    { 0, "only", OPT_TEXT, "", "NAME" },
    { 'c', "config", OPT_TEXT, "", "FILE" },
    { 0 },
};

/* What was understood, as text: words, then the rest, then what was given. */
static char *parse(bool settings, char *const *words, struct err *e)
{
    struct args_rule rule = { .max = ARGS_ANY, .rest = true, .settings = settings, .tables = { opts } };
    struct args a;
    own_buf out = { 0 };
    buf_adds(&out, "");
    if (args_parse(&rule, words, &a, e) < 0) {
        args_done(&a);
        return NULL;
    }
    for (size_t i = 0; i < a.n_words; i++)
        buf_addf(&out, "%s ", a.words[i]);
    for (size_t i = 0; i < a.n_rest; i++)
        buf_addf(&out, "+%s ", a.rest[i]);
    for (size_t i = 0; i < a.n_given; i++)
        buf_addf(&out, "%s=%s ", a.given[i].opt ? a.given[i].opt->name : a.given[i].key->name,
                 a.given[i].value ? a.given[i].value : "");
    args_done(&a);
    return buf_steal(&out);
}

static char *parse_line(const char *line, bool settings, struct err *e)
{
    own_strv words = NULL;
    struct err unused;
    check_int(text_split_words(line, &words, &unused), 0);
    char *none[] = { NULL };
    return parse(settings, words ? words : none, e);
}

TEST(understood)
{
    static const struct {
        const char *line, *want;
    } rows[] = {
        { "", "" },
        { "a b", "a b " },
        { "a -f b", "a b follow= " },
        { "--lines 5 a", "a lines=5 " },
        { "--lines=5 a --follow", "a lines=5 follow= " },
        { "-n5 -fn 7", "lines=5 follow= lines=7 " },
        { "-c f.toml --only=a,b", "config=f.toml only=a,b " },
        { "a -- -f --only x", "a +-f +--only +x " },
        { "- a", "- a " },
        { "--only= a", "a only= " },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct err e;
        own_text got = parse_line(rows[i].line, false, &e);
        check(got);
        check_text(got, rows[i].want);
    }
}

TEST(settings_come_from_the_key_table)
{
    static const struct {
        const char *line, *want;
    } rows[] = {
        { "x --max-restarts -1", "x max_restarts=-1 " },
        { "x --max-memory-restart=150M", "x max_memory_restart=150M " },
        { "--node-args --inspect x", "x interpreter_args=--inspect " },
        { "--merge-logs x", "x merge_logs= " },
        { "--no-treekill x", "x treekill=false " },
        { "--watch x", "x watch= " },
        { "--no-autorestart x", "x autorestart=false " },
        { "--autorestart=always x", "x autorestart=always " },
        { "--name api -i 4 x", "x name=api instances=4 " },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct err e;
        own_text got = parse_line(rows[i].line, true, &e);
        check(got);
        check_text(got, rows[i].want);
    }
}

TEST(refused)
{
    static const struct {
        const char *line;
        bool settings;
        const char *text, *hint;
    } rows[] = {
        { "--folow", false, "unknown option `--folow`", "did you mean --follow?" },
        { "--folow=1", false, "unknown option `--folow`", "did you mean --follow?" },
        { "-x", false, "unknown option `-x`", "" },
        { "-fx", false, "unknown option `-x`", "" },
        { "--lines", false, "--lines needs a value", "" },
        { "--lines x", false, "--lines: `x` is not a number", "" },
        { "--lines -5", false, "is not a number", "" },
        { "--follow=1", false, "--follow takes no value", "" },
        { "--max-restarts 3", false, "unknown option `--max-restarts`", "" },
        { "--max-restart 3", true, "unknown option `--max-restart`", "did you mean --max-restarts?" },
        { "--max-restarts", true, "--max-restarts needs a value", "" },
        { "--no-max-restarts", true, "unknown option `--no-max-restarts`", NULL },
        { "--script x", true, "unknown option `--script`", NULL },
        { "--no-autorestart=false x", true, "--no-autorestart takes no value", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct err e;
        own_text got = parse_line(rows[i].line, rows[i].settings, &e);
        check(!got);
        check_int(e.code, ERR_USAGE);
        check_contains(e.text, rows[i].text);
        if (rows[i].hint)
            check_text(e.hint, rows[i].hint);
    }
}

TEST(the_last_one_wins)
{
    struct args_rule rule = { .max = ARGS_ANY, .tables = { opts } };
    struct args a;
    struct err e;
    check_int(args_parse(&rule, (char *[]){ "-n1", "--only", "a", "-n", "2", NULL }, &a, &e), 0);
    check_int(args_count(&a, "lines", 15), 2);
    check_text(args_text(&a, "only", "-"), "a");
    check_text(args_text(&a, "config", "-"), "-");
    check_int(args_count(&a, "since", -1), -1);
    check(!args_has(&a, "follow"));
    args_done(&a);
}

UNIT_MAIN()
