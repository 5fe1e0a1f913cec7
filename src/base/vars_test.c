#include "base/vars.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/unit.h"

TEST(empty)
{
    own_vars vars = { 0 };
    check(vars_get(&vars, "A") == NULL && vars_steal(&vars) == NULL);
}

TEST(the_last_wins)
{
    static char a[] = "A=1", ab[] = "AB=2", b[] = "B=", again[] = "A=3";
    own_vars vars = { 0 };
    check(!vars_put(&vars, a) && !vars_put(&vars, ab) && !vars_put(&vars, b));
    check(vars_put(&vars, again) == a);
    check_int(vars.n, 3);
    check_text(vars_get(&vars, "A"), "3");
    check_text(vars_get(&vars, "AB"), "2");
    check_text(vars_get(&vars, "B"), "");
    check(!vars_get(&vars, "") && !vars_get(&vars, "ABC"));
    char **v = vars_steal(&vars);
    check(v[0] == again && v[1] == ab && v[2] == b && !v[3]);
    check(vars.n == 0 && !vars_get(&vars, "A"));
    free(v);
}

/* An entry of environ(7) without '=' has a name alone. */
TEST(without_a_value)
{
    static char bare[] = "BARE", full[] = "BARE=1";
    own_vars vars = { 0 };
    check(!vars_put(&vars, bare) && !vars_put(&vars, full));
    check_text(vars_get(&vars, "BARE"), "1");
}

TEST(many)
{
    enum { MANY = 100000 };
    own_vars vars = { 0 };
    for (int i = 0; i < MANY; i++)
        check(!vars_put(&vars, xasprintf("NAME%d=%d", i, i)));
    for (int i = 0; i < MANY; i += 2)
        free(vars_put(&vars, xasprintf("NAME%d=other", i)));
    check_int(vars.n, MANY);
    check_text(vars_get(&vars, "NAME99998"), "other");
    check_text(vars_get(&vars, "NAME99999"), "99999");
    strv_free(vars_steal(&vars));
}

UNIT_MAIN()
