/* src/os/account.h: whom this system knows, for the CLI. On Linux that is a static program where it can be,
 * and getpwnam(3) in one needs the very libc it was linked with at hand to load NSS modules into it; so
 * getent(1) is asked. velosd, a dynamic program, asks libc itself. */
#pragma once
#include <stdlib.h>
#include <sys/types.h>

struct account {
    char *name, *dir; /* the caller's, see account_done() */
    uid_t uid;
    gid_t gid;
};

int account_named(const char *name, struct account *out); /* 0, or -1: there is none */
int account_of(uid_t uid, struct account *out);
static inline void account_done(struct account *a)
{
    free(a->name);
    free(a->dir);
    *a = (struct account){ 0 };
}

/* This process becomes that user, for good: all of the user's groups, gid, uid. 0, or -1 with errno. */
int account_become(const struct account *a);
