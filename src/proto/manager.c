#include "proto/manager.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "os/sock.h"

/* A path, or "@name" in the abstract namespace. 0: none, or not one that can be. */
static socklen_t address_of(const char *where, struct sockaddr_un *a)
{
    size_t n = where ? strlen(where) : 0;
    if ((where && where[0] != '/' && where[0] != '@') || n < 2 || n >= sizeof(a->sun_path))
        return 0;
    *a = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(a->sun_path, where, n);
    if (where[0] == '@')
        a->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (where[0] == '/'));
}

void manager_tell(const char *fmt, ...)
{
    struct sockaddr_un a;
    char text[512];
    socklen_t len = address_of(getenv("NOTIFY_SOCKET"), &a);
    if (!len)
        return;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    own_fd fd = os_sock_new(SOCK_DGRAM, true);
    if (fd < 0 || sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&a, len) < 0)
        log_warn("the service manager does not hear us: %s", text);
}

int64_t manager_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    int64_t us = getenv("NOTIFY_SOCKET") && usec ? strtoll(usec, NULL, 10) : 0;
    return us > 0 ? MAX(us / 2000, (int64_t)1) : 0;
}
