#include "cli/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "conf/keys.h"

enum { SCALE_DIGITS = 6 }; /* more than any number of instances has */

int words_scale(const char *word, struct words_scale *out, struct err *e)
{
    if (strcmp(word, "max") == 0) {
        *out = (struct words_scale){ .n = INSTANCES_MAX };
        return 0;
    }
    bool change = word[0] == '+' || word[0] == '-';
    const char *digits = word + change;
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > SCALE_DIGITS || digits[n])
        return err_set(e, ERR_USAGE, "`%s`: expected a number of instances, +N, -N or max", word);
    *out = (struct words_scale){ change, strtoll(word, NULL, 10) };
    return 0;
}

int words_signal(const char *word, int *out, struct err *e)
{
    int number = key_signal_find(word);
    if (number) {
        *out = number;
        return 0;
    }
    err_set(e, ERR_USAGE, "no signal `%s`", word);
    return key_signal_hint(word, e);
}

bool words_is_secret(const char *name)
{
    static const char *const marks[] = { "KEY", "TOKEN", "SECRET", "PASS" };
    own_text upper = xstrdup(name);
    for (char *c = upper; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (strstr(upper, marks[i]))
            return true;
    return false;
}
