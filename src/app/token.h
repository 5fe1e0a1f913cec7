/* src/app/token.h: which request was carried out last. A client that lost its connection repeats a request
 * with the same token and "retry"; whoever finds the token here does nothing. The token counts for one
 * command only: a client that uses one token for two commands has not asked for the second before. */
#pragma once
#include <stdbool.h>

enum { TOKEN_START = 's', TOKEN_STOP = 'x', TOKEN_RESTART = 'r', TOKEN_SCALE = 'n' };

/* What is recorded for a token of a command; the caller frees. NULL for NULL. */
char *token_record(char command, const char *token);

/* Whether `recorded` (or NULL) is of this command and token. Earlier versions recorded the bare token, of any
 * command: an update in the middle of a request finds it. */
bool token_matches(const char *recorded, char command, const char *token);
