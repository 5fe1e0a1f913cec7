#include "channel/notify.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/sock.h"

static void take_status(struct notice *out, const char *value, size_t n)
{
    n = MIN(n, sizeof(out->status) - 1);
    memcpy(out->status, value, n);
    out->status[n] = '\0';
    for (char *p = out->status; *p; p++)
        if (iscntrl((unsigned char)*p))
            *p = ' ';
    out->has_status = true;
}

void notice_parse(const char *text, size_t n, struct notice *out)
{
    *out = (struct notice){ 0 };
    for (const char *p = text, *end = text + n; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((nl ? nl : end) - p);
        if (len == 7 && memcmp(p, "READY=1", 7) == 0)
            out->ready = true;
        else if (len == 10 && memcmp(p, "STOPPING=1", 10) == 0)
            out->stopping = true;
        else if (len >= 7 && memcmp(p, "STATUS=", 7) == 0)
            take_status(out, p + 7, len - 7);
        p += len + 1;
    }
}

char *notify_address(const char *home, const char *nonce)
{
    struct sockaddr_un a;
    own_text path = xasprintf("%s/notify.sock", home);
    if (strlen(path) < sizeof(a.sun_path))
        return steal(path);
    return xasprintf("@velos-%s", nonce);
}

char *notify_address_of_instance(const char *home, const char *nonce, long long id, bool other_user)
{
    struct sockaddr_un a;
    own_text path = xasprintf("%s/notify-%lld.sock", home, id);
    if (!other_user && strlen(path) < sizeof(a.sun_path))
        return steal(path);
    return xasprintf("@velos-%s-%lld", nonce, id);
}

char *notify_address_of_users(const char *nonce)
{
    return xasprintf("@velos-%s-users", nonce);
}

int notify_open(const char *address, struct err *e)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    size_t n = strlen(address);
    memcpy(a.sun_path, address, n);
    bool abstract = address[0] == '@';
    if (abstract)
        a.sun_path[0] = '\0';
    else
        unlink(address);
    own_fd fd = os_sock_new(SOCK_DGRAM, true);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + !abstract);
    if (fd < 0 || os_peer_name_senders(fd) < 0 || bind(fd, (struct sockaddr *)&a, len) < 0)
        return err_sys(e, "notify socket %s", address);
    /* For apps that change their user; the home's own mode (0700) lets them only if it was opened up. */
    if (!abstract && chmod(address, 0666) < 0)
        return err_sys(e, "notify socket %s", address);
    return steal_fd(fd);
}

int notify_receive(int fd, struct notice *out, struct os_peer *sender)
{
    char text[NOTIFY_MOST];
    ssize_t n = os_peer_receive(fd, text, sizeof(text), sender);
    if (n < 0)
        return 0;
    notice_parse(text, (size_t)n, out);
    return 1;
}

void notify_discard(int fd)
{
    struct os_peer unused;
    char text[1];
    while (os_peer_receive(fd, text, sizeof(text), &unused) >= 0) {
    }
}
