#include "cli/status.h"

#include <string.h>

#include "base/def.h"

static const struct {
    const char *status, *color;
} statuses[] = {
    { "online", "green" },    { "stopped", "halfbright" }, { "errored", "red" },
    { "starting", "yellow" }, { "stopping", "yellow" },    { "waiting", "yellow" },
};

static const struct {
    const char *name, *code;
} colors[] = {
    { "green", "\033[32m" },  { "halfbright", "\033[2m" }, { "red", "\033[31m" },
    { "yellow", "\033[33m" }, { "blue", "\033[34m" },      { "magenta", "\033[35m" },
    { "cyan", "\033[36m" },   { "bold", "\033[1m" },       { "reset", "\033[0m" },
};

const char *status_color(const char *status)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (strcmp(statuses[i].status, status) == 0)
            return statuses[i].color;
    return NULL;
}

const char *color_code(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LEN(colors); i++)
        if (strcmp(colors[i].name, name) == 0)
            return colors[i].code;
    return "";
}
