/* src/proto/proto.h: what CLI and daemon agree on. JSON-RPC 2.0, one object per line, UTF-8.
 *
 * Every method, its arguments and its result are described in docs/protocol.md. Names are added, never
 * reused; the first request of a connection is velos.hello {protocol, version}. */
#pragma once
#include "base/json.h"

enum {
    PROTO_VERSION = 1,
    PROTO_LINE_MOST = 8 << 20, /* bytes of one message, newline included */
};
#define PROTO_SOCKET "velos.sock"
#define PROTO_LOCK   "velosd.lock"
#define PROTO_LOG    "velosd.log"

/* {"jsonrpc":"2.0","id":ID,"error":{"code":-32003,"message":...,"data":{"code":"not_found","hint":...}}}\n */
void proto_add_error(struct buf *out, const char *id_json, const struct err *e);
/* Writes one error value {"code":"not_found","message":...,"hint":...} (in results, and the CLI's --json). */
void proto_write_error(struct json_out *j, const char *key, const struct err *e);
/* Fills e from either form; returns -1. */
int proto_read_error(const json_t *error, struct err *e);
