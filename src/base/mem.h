/* src/base/mem.h: memory that is there or the process ends (the keeper makes such an end harmless). */
#pragma once
#include "base/def.h"

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) printf_like(1, 2) __attribute__((malloc, returns_nonnull));

/* One zeroed T. */
#define xnew(T) ((T *)xcalloc(1, sizeof(T)))

void text_free(char **p); /* for own_text */
#define own_text __attribute__((cleanup(text_free), unused)) char *
