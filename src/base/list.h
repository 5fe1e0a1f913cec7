/* src/base/list.h: a list whose links live inside what is listed (no allocation, O(1) removal). */
#pragma once
#include <stdbool.h>

#include "base/def.h"

struct link {
    struct link *prev, *next;
};

static inline void list_init(struct link *head)
{
    head->prev = head->next = head;
}

static inline bool list_empty(const struct link *head)
{
    return head->next == head;
}

static inline void list_append(struct link *head, struct link *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

/* Safe on a link that is in no list, when that link was list_init()ed or is zero. */
static inline void list_remove(struct link *l)
{
    if (!l->next)
        return;
    l->prev->next = l->next;
    l->next->prev = l->prev;
    l->prev = l->next = l;
}

static inline bool list_linked(const struct link *l)
{
    return l->next && l->next != l;
}

#define list_each(pos, head) for (struct link *pos = (head)->next; pos != (head); pos = pos->next)

/* The body may remove `pos`, and nothing else. */
#define list_each_safe(pos, head)                                                                            \
    for (struct link *pos = (head)->next, *next_##pos = pos->next; pos != (head);                            \
         pos = next_##pos, next_##pos = pos->next)
