#include "base/shared.h"

#include "base/text.h"
#include "base/unit.h"

TEST(kept_once)
{
    const char *a = NULL, *b = NULL, *c = NULL;
    char text[] = "node";
    shared_set(&a, text);
    shared_set(&b, "node");
    shared_set(&c, "bun");
    text[0] = 'm';
    check_text(a, "node");
    check(a == b && a != c);
    shared_set(&a, a); /* itself */
    check_text(a, "node");
    shared_set(&a, NULL);
    check(!a);
    check_text(b, "node");
    shared_set(&b, c);
    check(b == c);
    shared_set(&b, NULL);
    shared_set(&b, NULL);
    shared_set(&c, NULL);
}

TEST(many)
{
    enum { MANY = 2000 };
    const char *kept[MANY] = { 0 };
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < MANY; i++) {
            own_text text = xasprintf("%d", (i + round) % 700);
            shared_set(&kept[i], text);
        }
    for (int i = 0; i < MANY; i++) {
        own_text text = xasprintf("%d", (i + 2) % 700);
        check_text(kept[i], text);
        check(kept[i] == kept[i % 700]);
    }
    for (int i = 0; i < MANY; i++)
        shared_set(&kept[i], NULL);
}

UNIT_MAIN()
