/* src/cli/status.h: how states look. */
#pragma once

/* A colour's name for table_add and status_paint: "green"; NULL for a state of a later version. */
const char *status_color(const char *status);
/* The escape sequence of a colour's name, or "". */
const char *color_code(const char *name);
