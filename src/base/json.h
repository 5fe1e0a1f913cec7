/* src/base/json.h: writing JSON straight into a buffer, and reading members of a jansson object.
 *
 * Writing does not go through jansson: a list of 500 apps would be 10,000 allocations, and an entry is
 * written at every transition. Calls must nest as JSON nests; commas are set by the writer.
 *
 * What we send is always valid UTF-8. Bytes of a path, an argument or a variable that are not are carried
 * through JSON as characters of a private area (U+EF80 to U+EFFF), and json_uncarry() gives them back:
 * nothing is changed on the way from a client to an app. */
#pragma once
#include <jansson.h>

#include "base/text.h"

/* At the program's start: jansson allocates as we do (its own answer to a heap without room is an assertion
 * in load.c), and the seed of its hash tables is asked of the system in one call instead of three. */
void json_init(void);

struct json_out {
    struct buf *to;
    bool comma; /* something stands before, in this object or array */
};
#define JSON_OUT(buffer) ((struct json_out){ .to = (buffer) })

/* key is NULL inside an array and at the top. */
void json_open(struct json_out *j, const char *key, char bracket);     /* '{' or '[' */
void json_close(struct json_out *j, char bracket);                     /* '}' or ']' */
void json_str(struct json_out *j, const char *key, const char *value); /* NULL: null */
/* For the text of logs: U+FFFD in place of each bad byte. */
void json_strn(struct json_out *j, const char *key, const char *value, size_t n);
/* In place: a string that was read, with the bytes that json_str() carried. */
char *json_uncarry(char *text);
size_t json_plain(const char *s, size_t n); /* how many bytes from s on stand in a string as they are */
void json_int(struct json_out *j, const char *key, int64_t value);
void json_num(struct json_out *j, const char *key, double value); /* one decimal */
void json_flag(struct json_out *j, const char *key, bool value);
void json_null_at(struct json_out *j, const char *key);
void json_raw(struct json_out *j, const char *key, const char *json); /* already JSON */
void json_strv(struct json_out *j, const char *key, char *const *v);
void json_time(struct json_out *j, const char *key, int64_t wall_ms); /* RFC 3339; 0: null */

/* Members; the fallback when absent or of another type. Strings live as long as the object. */
const char *json_get_str(const json_t *o, const char *key, const char *fallback);
int64_t json_get_int(const json_t *o, const char *key, int64_t fallback);
bool json_get_flag(const json_t *o, const char *key, bool fallback);

/* Parses one text; depth is bounded by jansson. ERR_PARSE names line and column. */
must_check int json_parse(const char *text, size_t n, json_t **out, struct err *e);

void json_free(json_t **j);
#define own_json __attribute__((cleanup(json_free))) json_t *
