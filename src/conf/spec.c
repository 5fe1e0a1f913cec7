/* A spec's fields are known by the key table alone; here they are only walked. */
#include "conf/spec.h"

#include <assert.h>
#include <stdlib.h>

#include "conf/keys.h"

static struct app_spec *read_defaults(void)
{
    struct app_spec *s = xnew(struct app_spec);
    for (const struct key *k = keys; k < keys + keys_len; k++) {
        struct err e;
        int r = k->def ? keys_read_text(s, k, k->def, "", &e) : 0;
        assert(r == 0); /* a default of the table that the table refuses */
    }
    s->set = 0;
    return s;
}

/* Once: reading them again for each of 500 apps would be most of their start. */
const struct app_spec *app_spec_defaults(void)
{
    static struct app_spec *defaults;
    if (!defaults) {
        static struct app_spec none; /* what is shared while they are read */
        defaults = &none;
        defaults = read_defaults();
    }
    return defaults;
}

struct app_spec *app_spec_new(void)
{
    return app_spec_copy(app_spec_defaults());
}

struct app_spec *app_spec_free(struct app_spec *s)
{
    if (!s)
        return NULL;
    for (const struct key *k = keys; k < keys + keys_len; k++)
        key_clear(k, s);
    json_decref(s->unknown);
    free(s);
    return NULL;
}

struct app_spec *app_spec_copy(const struct app_spec *s)
{
    struct app_spec *copy = xnew(struct app_spec);
    for (const struct key *k = keys; k < keys + keys_len; k++)
        key_copy(k, copy, s);
    copy->set = s->set;
    copy->unknown = json_deep_copy(s->unknown);
    return copy;
}

void app_spec_cleanup(struct app_spec **s)
{
    *s = app_spec_free(*s);
}

bool exit_codes_has(const struct exit_codes *c, int code)
{
    if (code < 0 || code > 255)
        return false;
    return c->bits[code / 64] >> (code % 64) & 1;
}
