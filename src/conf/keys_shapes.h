/* src/conf/keys_shapes.h: the few settings whose values have a shape of their own, or a rule beyond their
 * type; named in the rows of keys.c, written in keys_read.c and keys_write.c. Not for others. */
#pragma once
#include "conf/settings.h"

/* In place of the type's own reader. */
key_read_fn read_app_name, read_user, read_cron, read_json_text, read_memory, read_instances,
    read_autorestart, read_exit_codes, read_inherit_env, read_backoff, read_watch, read_log_type,
    read_date_format;
key_write_fn write_memory, write_instances, write_autorestart, write_exit_codes, write_inherit_env,
    write_backoff, write_watch, write_log_type;

static inline void *key_field(const struct key *k, const struct app_spec *s)
{
    return (char *)s + k->offset;
}

static inline uint64_t key_bit(const struct key *k)
{
    size_t at = ((uintptr_t)k - (uintptr_t)keys) / sizeof(*k);
    return UINT64_C(1) << (at < keys_len ? at : (size_t)(k - settings_table.rows));
}

void env_put_all(char ***env, char *const *pairs); /* copies of "NAME=value"; each replaces its NAME */
void keys_settle(struct app_spec *s);              /* after `set` or a field changed */
