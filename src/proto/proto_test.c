#include "proto/proto.h"

#include "base/unit.h"

static struct err sample(enum err_code code, const char *hint)
{
    struct err e;
    err_set(&e, code, "no app `%s`", "a\"p");
    if (hint)
        err_hint(&e, "%s", hint);
    return e;
}

TEST(an_error_survives_the_wire)
{
    static const struct {
        enum err_code code;
        const char *hint;
    } rows[] = {
        { ERR_NOT_FOUND, "did you mean api?" },
        { ERR_TIMEOUT, NULL },
        { ERR_METHOD, NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct err sent = sample(rows[i].code, rows[i].hint), got, why;
        own_buf line = { 0 };
        proto_add_error(&line, "7", &sent);
        check_int(line.data[line.len - 1], '\n');

        own_json j = NULL;
        check_int(json_parse(line.data, line.len, &j, &why), 0);
        check_int(json_get_int(j, "id", 0), 7);
        check_int(json_get_int(json_object_get(j, "error"), "code", 0), err_rpc_number(rows[i].code));
        check_int(proto_read_error(json_object_get(j, "error"), &got), -1);
        check_int(got.code, sent.code);
        check_text(got.text, sent.text);
        check_text(got.hint, sent.hint);
    }
}

TEST(an_error_survives_a_result)
{
    struct err sent = sample(ERR_SPAWN, "install it"), got, why;
    own_buf text = { 0 };
    struct json_out out = JSON_OUT(&text);
    proto_write_error(&out, NULL, &sent);

    own_json j = NULL;
    check_int(json_parse(text.data, text.len, &j, &why), 0);
    check_text(json_get_str(j, "code", ""), "spawn");
    proto_read_error(j, &got);
    check_int(got.code, ERR_SPAWN);
    check_text(got.text, sent.text);
    check_text(got.hint, sent.hint);
}

TEST(an_error_of_another_peer_is_a_failure)
{
    static const char *const rows[] = { "{\"code\":-1,\"message\":\"m\"}", "{\"message\":\"m\",\"data\":3}",
                                        "{\"message\":\"m\",\"data\":{\"code\":\"of_later\"}}" };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct err e, why;
        own_json j = NULL;
        check_int(json_parse(rows[i], strlen(rows[i]), &j, &why), 0);
        proto_read_error(j, &e);
        check_int(e.code, ERR_FAILED);
        check_text(e.text, "m");
        check_text(e.hint, "");
    }
}

UNIT_MAIN()
