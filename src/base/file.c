#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_kind(int fd, const char *path, bool any, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(e, "%s", path);
    if (S_ISDIR(st.st_mode))
        return err_set(e, ERR_FAILED, "%s: is a directory", path);
    if (any || !S_ISFIFO(st.st_mode))
        return 0;
    err_set(e, ERR_FAILED, "%s: is a pipe", path);
    return err_hint(e, "it is read more than once: put a file there");
}

static int read_whole(const char *path, bool any, size_t most, char **out, size_t *out_len, struct err *e)
{
    /* Who opens a FIFO waits for its writer, unless he says that he does not. */
    own_fd fd = open(path, O_RDONLY | O_CLOEXEC | (any ? 0 : O_NONBLOCK));
    if (fd < 0)
        return err_sys(e, "%s", path);
    if (check_kind(fd, path, any, e) < 0)
        return -1;
    own_buf b = { 0 };
    for (;;) {
        buf_reserve(&b, 4096);
        ssize_t n = read(fd, b.data + b.len, b.cap - b.len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read %s", path);
        if (n == 0)
            break;
        b.len += (size_t)n;
        if (b.len > most)
            return err_set(e, ERR_LIMIT, "%s: larger than %zu bytes", path, most);
    }
    b.data[b.len] = '\0';
    if (out_len)
        *out_len = b.len;
    *out = buf_steal(&b);
    return 0;
}

int file_read(const char *path, size_t most, char **out, size_t *out_len, struct err *e)
{
    return read_whole(path, false, most, out, out_len, e);
}

int file_read_any(const char *path, size_t most, char **out, size_t *out_len, struct err *e)
{
    return read_whole(path, true, most, out, out_len, e);
}

int file_write_all(int fd, const void *data, size_t n, struct err *e)
{
    const char *p = data;
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return err_sys(e, "write");
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

char *path_join(const char *dir, const char *name)
{
    if (name[0] == '/' || !dir[0])
        return xstrdup(name);
    return xasprintf("%s%s%s", dir, text_ends(dir, "/") ? "" : "/", name);
}

/* Whether `..` after it leads to the directory it stands in. Not where it is a symbolic link: `link/..` is
 * the parent of what the link leads to (path_resolution(7)). What is not there leads nowhere either way. */
static bool is_cut_by_dotdot(struct buf *path)
{
    struct stat st;
    if (path->len == 0)
        return true;
    path->data[path->len] = '\0';
    return !text_ends(path->data, "/..") && (lstat(path->data, &st) < 0 || !S_ISLNK(st.st_mode));
}

char *path_absolute(const char *base, const char *path)
{
    own_text joined = path_join(base, path);
    size_t room = strlen(joined) + 2; /* no more: many of these live as long as an app */
    own_buf out = { .data = xmalloc(room), .cap = room };
    for (const char *p = joined; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.' && is_cut_by_dotdot(&out)) {
            while (out.len && out.data[out.len - 1] != '/')
                out.len--;
            if (out.len)
                out.len--;
        } else if (n > 0 && !(n == 1 && p[0] == '.')) {
            buf_addc(&out, '/');
            buf_add(&out, p, n);
        }
        p += n;
        p += strspn(p, "/");
    }
    if (out.len == 0)
        buf_adds(&out, "/");
    out.data[out.len] = '\0';
    return buf_steal(&out);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    if (slash == path)
        return xstrdup("/");
    return xstrndup(path, (size_t)(slash - path));
}

const char *path_ext(const char *path)
{
    const char *name = path_base(path), *dot = strrchr(name, '.');
    return dot && dot != name ? dot : "";
}

int path_make_dirs(const char *path, mode_t mode, struct err *e)
{
    own_text p = xstrdup(path);
    for (char *s = p + 1;; s++) {
        if (*s && *s != '/')
            continue;
        char was = *s;
        *s = '\0';
        if (mkdir(p, mode) < 0 && errno != EEXIST)
            return err_sys(e, "create folder %s", p);
        *s = was;
        if (!was)
            break;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return err_sys(e, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_FAILED, "%s: not a directory", path);
    return 0;
}
