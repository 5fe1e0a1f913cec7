/* src/cli/progress.h: a line on the terminal that counts along, once a command has taken a second. */
#pragma once
#include <stdint.h>

void progress_begin(const char *what); /* "stop"; costs nothing until the first progress_set() */
void progress_set(int64_t done, int64_t of);
void progress_end(void); /* the line is gone */
