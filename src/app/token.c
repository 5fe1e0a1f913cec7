#include "app/token.h"

#include <string.h>

#include "base/text.h"

enum { MARK = '|' };

char *token_record(char command, const char *token)
{
    return token ? xasprintf("%c%c%s", command, MARK, token) : NULL;
}

bool token_matches(const char *recorded, char command, const char *token)
{
    if (!recorded || !token)
        return false;
    if (recorded[0] && recorded[1] == MARK)
        return recorded[0] == command && strcmp(recorded + 2, token) == 0;
    return strcmp(recorded, token) == 0;
}
