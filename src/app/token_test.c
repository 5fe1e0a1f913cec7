#include "app/token.h"

#include "base/text.h"
#include "base/unit.h"

TEST(a_token_is_of_one_command)
{
    static const struct {
        const char *recorded, *token;
        char command;
        bool same;
    } rows[] = {
        { "s|t", "t", TOKEN_START, true },   { "s|t", "t", TOKEN_STOP, false },
        { "s|t", "u", TOKEN_START, false },  { "t", "t", TOKEN_STOP, true }, /* of an earlier version */
        { "", "", TOKEN_STOP, true },        { "x|", "", TOKEN_STOP, true },
        { "x", "t", TOKEN_STOP, false },     { NULL, "t", TOKEN_START, false },
        { "s|t", NULL, TOKEN_START, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        check(token_matches(rows[i].recorded, rows[i].command, rows[i].token) == rows[i].same);
    }
    own_text recorded = token_record(TOKEN_RESTART, "a|b");
    check(token_matches(recorded, TOKEN_RESTART, "a|b"));
    check(token_record(TOKEN_RESTART, NULL) == NULL);
}

UNIT_MAIN()
