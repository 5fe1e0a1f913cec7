/* src/os/groups.h: which groups a user is in. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/* `group` among them; how many, `most` of them when there are more. */
size_t os_groups(const char *user, gid_t group, gid_t *out, size_t most);
