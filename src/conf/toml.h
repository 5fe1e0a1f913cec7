/* src/conf/toml.h: toml++ (C++) behind a C function; the only place that knows it. CLI only. */
#pragma once
#include "conf/node.h"

#ifdef __cplusplus
extern "C" {
#endif
/* TOML 1.0 text to a table node. A syntax error becomes one problem with line and column; -1. */
int toml_parse(const char *text, size_t n, struct conf_node *out, struct conf_problems *problems);
#ifdef __cplusplus
}
#endif
