/* src/base/text.h: text that grows, lists of words, and the nearest of some names. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

/* A growing byte buffer; always NUL-terminated once something was added. Zero is a valid empty one. */
struct buf {
    char *data;
    size_t len, cap;
};
void buf_done(struct buf *b); /* frees; the buffer is empty and usable again */
void buf_clear(struct buf *b);
void buf_reserve(struct buf *b, size_t more); /* room for `more` bytes and a NUL */
void buf_add(struct buf *b, const void *data, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_fill(struct buf *b, char c, size_t n); /* n times c */
void buf_add_int(struct buf *b, int64_t value);
void buf_addf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
void buf_addv(struct buf *b, const char *fmt, va_list ap);
void buf_drop(struct buf *b, size_t n); /* forgets the first n bytes */
char *buf_steal(struct buf *b);         /* the text, never NULL; the caller frees */
#define own_buf __attribute__((cleanup(buf_done))) struct buf

/* NULL-terminated lists of strings ("strv"), owned as a whole. NULL is a valid empty one. */
size_t strv_len(char *const *v);
char **strv_add(char **v, const char *s); /* appends a copy; returns the (moved) list */
char **strv_take(char **v, char *s);      /* appends s itself */
char **strv_copy(char *const *v);
char **strv_free(char **v); /* takes NULL, returns NULL */
bool strv_has(char *const *v, const char *s);
bool strv_equal(char *const *a, char *const *b);
void strv_done(char ***v);
#define own_strv __attribute__((cleanup(strv_done))) char **

bool text_equal(const char *a, const char *b); /* NULL equals NULL alone */
bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
const char *text_last(const char *s, size_t n, char c); /* memrchr(3), which not every system has */

/* Splits as a shell splits words: blanks, '...', "..." with \" \\ \$ \`, and \ outside quotes; no
 * expansion, no operators. Unbalanced quotes: ERR_USAGE. *out is a strv the caller frees. */
must_check int text_split_words(const char *s, char ***out, struct err *e);

/* Would a shell do more with this line than split it into words: operators, variables, patterns, a variable
 * set in front? What is quoted is not looked at, but for $ and ` in "...". */
bool text_needs_shell(const char *line);

/* The name closest to `word` (Damerau-Levenshtein, case folded), or NULL when none is near enough to
 * be a typing mistake: at most a third of its length away. names is NULL-terminated. */
const char *text_nearest(const char *word, const char *const *names);

/* How many bytes the character at p has, of `left`; 0: it is no UTF-8. */
size_t text_utf8_len(const char *p, size_t left);

/* Text from elsewhere within a line for people: what would end the line or command the terminal (control
 * characters, bytes that are no UTF-8) is shown as \n, \t, \x1b. *out is one character of s, NUL-terminated;
 * returns how many bytes of s it stands for. */
enum { TEXT_SHOWN = 8 };
size_t text_show(const char *s, char out[TEXT_SHOWN]);
void buf_add_shown(struct buf *b, const char *s); /* all of s */

/* Is s valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool text_is_utf8(const char *s, size_t n);
