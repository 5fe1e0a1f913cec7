/* docs/commands.md and man/velos.1 are what the rows say. UPDATE_DOCS=1 writes them anew. */
#include "cli/help.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/unit.h"

static void check_file(const char *path, const char *want)
{
    if (getenv("UPDATE_DOCS")) {
        FILE *f = fopen(path, "w");
        check(f && fputs(want, f) >= 0 && fclose(f) == 0);
    }
    struct err e;
    own_text got = NULL;
    check_int(file_read(path, 1 << 20, &got, NULL, &e), 0);
    check_text(got, want);
}

TEST(commands_md_is_up_to_date)
{
    own_text want = manual_markdown();
    check_file(SOURCE_ROOT "/docs/commands.md", want);
}

TEST(the_man_page_is_up_to_date)
{
    own_text want = manual_roff();
    check_file(SOURCE_ROOT "/man/velos.1", want);
}

TEST(every_command_has_all_its_fields)
{
    for (const struct cmd *const *c = commands; *c; c++) {
        check((*c)->name && (*c)->usage && (*c)->about && (*c)->run);
        check(text_starts((*c)->usage, (*c)->name));
        check((*c)->args.min <= (*c)->args.max);
        check(cmd_find((*c)->name) == *c);
        for (const char *const *a = (*c)->aliases; a && *a; a++)
            check(cmd_find(*a) == *c);
    }
}

/* An option must not hide a setting, nor a common option one of the command's own. */
TEST(no_option_stands_for_two_things)
{
    for (const struct cmd *const *c = commands; *c; c++)
        for (const struct opt *o = (*c)->opts; o && o->name; o++) {
            const struct key *k = (*c)->args.settings ? key_find(o->name) : NULL;
            check(!k || k->flags & KEY_FILE_ONLY);
            for (const struct opt *other = common_opts; other->name; other++)
                check(strcmp(o->name, other->name) != 0 && (!o->letter || o->letter != other->letter));
        }
}

TEST(exit_codes_md_has_every_code)
{
    struct err e;
    own_text doc = NULL;
    check_int(file_read(SOURCE_ROOT "/docs/exit-codes.md", 1 << 20, &doc, NULL, &e), 0);
    for (enum err_code c = ERR_NONE + 1; c < ERR_N; c++) {
        own_text row =
            xasprintf("| `%s` | %d | %d |", err_code_name(c), err_exit_status(c), err_rpc_number(c));
        check_contains(doc, row);
    }
}

UNIT_MAIN()
