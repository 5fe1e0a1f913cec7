#include "proto/proto.h"

static void write_hint(struct json_out *j, const struct err *e)
{
    if (e->hint[0])
        json_str(j, "hint", e->hint);
}

void proto_add_error(struct buf *out, const char *id_json, const struct err *e)
{
    struct json_out j = JSON_OUT(out);
    json_open(&j, NULL, '{');
    json_str(&j, "jsonrpc", "2.0");
    json_raw(&j, "id", id_json ? id_json : "null");
    json_open(&j, "error", '{');
    json_int(&j, "code", err_rpc_number(e->code));
    json_str(&j, "message", e->text);
    json_open(&j, "data", '{');
    json_str(&j, "code", err_code_name(e->code));
    write_hint(&j, e);
    json_close(&j, '}');
    json_close(&j, '}');
    json_close(&j, '}');
    buf_addc(out, '\n');
}

void proto_write_error(struct json_out *j, const char *key, const struct err *e)
{
    json_open(j, key, '{');
    json_str(j, "code", err_code_name(e->code));
    json_str(j, "message", e->text);
    write_hint(j, e);
    json_close(j, '}');
}

/* On the wire the name and the hint are in `data`, in a result they stand beside the message. A number
 * without a name (another JSON-RPC peer) is a plain failure. */
int proto_read_error(const json_t *error, struct err *e)
{
    const json_t *data = json_object_get(error, "data");
    const json_t *named = json_is_object(data) ? data : error;
    enum err_code code = err_code_find(json_get_str(named, "code", ""));
    err_set(e, code, "%s", json_get_str(error, "message", "an error without a message"));
    const char *hint = json_get_str(named, "hint", "");
    return hint[0] ? err_hint(e, "%s", hint) : -1;
}
