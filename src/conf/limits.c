#include "conf/limits.h"

#include <stdio.h>
#include <string.h>

enum { KINDS_MOST = 64, NAME_LEN_MOST = 32, NICE_MOST = 20 };

void limits_write(struct json_out *j, const char *key, const struct os_limits *l)
{
    json_open(j, key, '{');
    for (size_t i = 0; i < os_limits_len(); i++) {
        const struct os_limit *one = &l->of[i];
        if (!one->set)
            continue;
        if (one->soft == one->hard) {
            json_int(j, os_limit_name(i), one->soft);
            continue;
        }
        json_open(j, os_limit_name(i), '[');
        json_int(j, NULL, one->soft);
        json_int(j, NULL, one->hard);
        json_close(j, ']');
    }
    if (l->has_priority && l->priority)
        json_int(j, "priority", l->priority);
    json_close(j, '}');
}

static bool is_limit(const json_t *n)
{
    return json_is_integer(n) && json_integer_value(n) >= OS_LIMIT_NONE;
}

static bool is_member(const char *name, const json_t *value)
{
    if (strcmp(name, "priority") == 0)
        return json_is_integer(value) && json_integer_value(value) >= -NICE_MOST &&
               json_integer_value(value) < NICE_MOST;
    if (is_limit(value))
        return true;
    return json_array_size(value) == 2 && is_limit(json_array_get(value, 0)) &&
           is_limit(json_array_get(value, 1));
}

int limits_take(const json_t *o, char **out, struct err *e)
{
    const char *name;
    json_t *value;
    *out = NULL;
    if (!o)
        return 0;
    if (!json_is_object(o) || json_object_size(o) > KINDS_MOST)
        return err_set(e, ERR_PARAMS, "limits: an object of at most %d members is expected", KINDS_MOST);
    json_object_foreach((json_t *)o, name, value)
    {
        if (strlen(name) > NAME_LEN_MOST || !is_member(name, value))
            return err_set(e, ERR_PARAMS, "limits: %.32s: a number, -1 or [soft, hard] is expected", name);
    }
    *out = json_dumps(o, JSON_COMPACT);
    return 0;
}

void limits_read(const char *text, struct os_limits *out)
{
    own_json o = text ? json_loads(text, 0, NULL) : NULL;
    const char *name;
    json_t *value;
    *out = (struct os_limits){ 0 };
    json_object_foreach(o, name, value)
    {
        int i = os_limit_find(name);
        if (i < 0)
            continue;
        const json_t *soft = json_is_array(value) ? json_array_get(value, 0) : value;
        const json_t *hard = json_is_array(value) ? json_array_get(value, 1) : value;
        out->of[i] = (struct os_limit){ true, json_integer_value(soft), json_integer_value(hard) };
    }
    value = json_object_get(o, "priority");
    out->has_priority = o != NULL;
    out->priority = (int)json_integer_value(value);
}
