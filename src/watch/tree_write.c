/* A tree for people: `velos watch`. */
#include "watch/tree_parts.h"

static const char *state_name(const struct root *r)
{
    static const char *const names[] = {
        [ROOT_UNKNOWN] = "unknown", [ROOT_ABSENT] = "absent",   [ROOT_FOLDER] = "folder",
        [ROOT_FILE] = "file",       [ROOT_REFUSED] = "refused",
    };
    return names[r->state];
}

struct tree_state tree_state(const struct tree *t)
{
    return (struct tree_state){ .folders = t->folders,
                                .polled = t->polled + anchors_polled(t),
                                .problem = t->problem[0] ? t->problem : NULL };
}

void tree_write(const struct tree *t, struct json_out *j)
{
    json_open(j, "roots", '[');
    for (size_t i = 0; i < t->n_roots; i++) {
        json_open(j, NULL, '{');
        json_str(j, "path", t->roots[i].path);
        json_str(j, "state", state_name(&t->roots[i]));
        json_close(j, '}');
    }
    json_close(j, ']');
    json_int(j, "ignored_count", (int64_t)t->n_ignored);
    json_open(j, "ignored", '[');
    for (size_t i = 0; i < MIN(t->n_ignored, (size_t)IGNORED_LISTED); i++) {
        json_open(j, NULL, '{');
        json_str(j, "path", t->ignored[i].path);
        json_str(j, "rule", t->ignored[i].rule);
        json_close(j, '}');
    }
    json_close(j, ']');
    changes_write_recent(&t->changes, j, "recent");
}
