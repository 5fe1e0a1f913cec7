#include "channel/notify.h"

#include "base/unit.h"

static const struct {
    const char *text;
    bool ready, stopping;
    const char *status; /* NULL: none */
} rows[] = {
    { "READY=1", true, false, NULL },
    { "READY=1\n", true, false, NULL },
    { "STATUS=warming up\nREADY=1\nSTOPPING=1", true, true, "warming up" },
    { "READY=0", false, false, NULL },
    { "XREADY=1", false, false, NULL },
    { "READY=11", false, false, NULL },
    { "STATUS=", false, false, "" },
    { "STATUS=a\tb\x1b[31m", false, false, "a b [31m" },
    { "", false, false, NULL },
    { "\n\n\n", false, false, NULL },
    { "MAINPID=1\nWATCHDOG=1", false, false, NULL },
};

TEST(what_apps_say)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct notice n;
        check_row(i);
        notice_parse(rows[i].text, strlen(rows[i].text), &n);
        check_int(n.ready, rows[i].ready);
        check_int(n.stopping, rows[i].stopping);
        check_int(n.has_status, rows[i].status != NULL);
        if (rows[i].status)
            check_text(n.status, rows[i].status);
    }
}

TEST(a_long_status_is_cut)
{
    char text[1000] = "STATUS=";
    struct notice n;
    memset(text + 7, 'x', sizeof(text) - 8);
    notice_parse(text, strlen(text), &n);
    check_int(strlen(n.status), NOTIFY_STATUS_MOST - 1);
}

TEST(a_home_too_deep_for_a_socket_gets_an_abstract_name)
{
    char deep[200];
    memset(deep, 'd', sizeof(deep) - 1);
    deep[0] = '/';
    deep[sizeof(deep) - 1] = '\0';
    own_text own = notify_address_of_instance("/home/x/.velos", "abc", 7, false);
    own_text other = notify_address_of_instance("/home/x/.velos", "abc", 7, true);
    own_text own_far = notify_address_of_instance(deep, "abc", 7, false);
    check_text(own, "/home/x/.velos/notify-7.sock");
    check_text(other, "@velos-abc-7");
    check_text(own_far, "@velos-abc-7");
    own_text near = notify_address("/home/x/.velos", "abc");
    own_text far = notify_address(deep, "abc");
    check_text(near, "/home/x/.velos/notify.sock");
    check_text(far, "@velos-abc");
}

UNIT_MAIN()
