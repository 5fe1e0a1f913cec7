/* src/base/shared.h: texts that many have at once (the interpreter of 500 apps), kept once. For the main
 * thread alone. */
#pragma once

/* *kept is another text from now on, NULL for none; the text before goes when nobody has it any more. `now`
 * is copied, and may be *kept. */
void shared_set(const char **kept, const char *now);
