/* src/conf/limits.h: the limits of whoever starts an app, as they travel and are kept: a JSON object, a
 * member for each kind: N (soft and hard), [SOFT, HARD], -1 for unlimited; "priority" is the nice value.
 *
 *     {"nofile":[1024,524288],"core":[0,-1],"fsize":-1,"priority":5}
 *
 * Kinds that this system or version does not know are kept as they came. */
#pragma once
#include "base/json.h"
#include "os/limits.h"

void limits_write(struct json_out *j, const char *key, const struct os_limits *l);
/* What came from a client or a file: its text, the caller's; NULL for none. An error names the member. */
must_check int limits_take(const json_t *o, char **out, struct err *e);
void limits_read(const char *text, struct os_limits *out); /* of limits_take(); NULL: none is set */
