/* src/app/wrapper.h: programs that start the app's own process somewhere below themselves (npm, npx, yarn
 * ...): Node's channel ends in the wrapper, so `process.send('ready')` in the app reaches nobody
 * (node-ipc.md, table in section 1). A simple `npm start` or `npm run NAME` whose script is `node FILE ARGS`
 * is looked up in package.json and run directly; anything else cannot have wait_ready or
 * shutdown_with_message, and says so. */
#pragma once
#include "base/text.h"

/* words: the command, program first. 1: *out is the direct command (a strv, the caller's); 0: no wrapper; -1:
 * a wrapper that cannot be seen through, with the reason and the way out. */
must_check int wrapper_resolve(char *const *words, const char *cwd, char ***out, struct err *e);

/* Whether a command becomes a program that speaks Node's channel (Node, Bun, Deno, tsx), by itself or behind
 * what passes descriptors and environment on: env, nice and their like, and a shell whose line, or whose
 * script file (relative to cwd; NULL: none is read), runs one. Any other program would find a channel that is
 * none of its business and hand the variable, not always the descriptor, to each Node it runs: those abort.
 */
bool wrapper_leads_to_node(char *const *argv, const char *cwd);

/* The decision alone, on the text of a package.json: pure, for tests. */
must_check int wrapper_resolve_script(const char *package_json, size_t n, const char *script, char ***out,
                                      struct err *e);
